/* What is shown: chosen classes, models and axis, kept in the URL fragment. */

// The photograph that says most comes first: right at the identity, then lost most often.
const tellingStrip = () => {
  const losses = data.strips.map((strip) => {
    const wrong = (item) => item.verdicts.filter(([, prediction]) => prediction !== strip.label).length;
    const atIdentity = strip.items.filter((item) => item.axis === null);
    if (!atIdentity.length || atIdentity.some(wrong)) return -1;
    return strip.items.reduce((sum, item) => sum + (item.axis === 0 ? wrong(item) : 0), 0);
  });
  return Math.max(0, losses.indexOf(Math.max(...losses)));
};
const telling = data.strips.length ? tellingStrip() : 0;
const foremost = data.findings[0];

const start = () => ({
  axis: foremost ? foremost.axis : 0,
  models: data.models.map((_, index) => index),
  splits: data.splits.map((_, index) => index),
  classes: [...data.first],
  strip: telling,
  aggregate: "mean of classes",
  focus: foremost ? foremost.model : 0,
  level: data.levels.includes("run") ? "run" : "image",
  sort: "rank",
  down: false,
  filter: "",
  only: "all",
});
let view = start();

// Names of another run are passed over; where none is known, what is shown at first stays.
const indices = (list, names, otherwise) => {
  const found = names.map((name) => list.indexOf(name)).filter((index) => index >= 0);
  return found.length || names.every((name) => name === "") ? [...new Set(found)] : otherwise;
};

const readFragment = () => {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = start();
  const axis = data.axes.findIndex((entry) => entry.name === given.get("axis"));
  if (axis >= 0) found.axis = axis;
  if (given.has("model")) found.models = indices(data.models, given.getAll("model"), found.models);
  if (given.has("split")) found.splits = indices(data.splits, given.getAll("split"), found.splits);
  if (given.has("class")) {
    found.classes = indices(data.classes.map((entry) => entry.name), given.getAll("class"), found.classes);
  }
  const strip = data.strips.findIndex((entry) => entry.name === given.get("photograph"));
  if (strip >= 0) found.strip = strip;
  if (given.get("average") === "overall") found.aggregate = "overall";
  const focus = data.models.indexOf(given.get("focus"));
  if (focus >= 0) found.focus = focus;
  if (data.levels.includes(given.get("level"))) found.level = given.get("level");
  if (COLUMNS.some((column) => column.name === given.get("sort"))) found.sort = given.get("sort");
  found.down = given.get("order") === "down";
  found.filter = given.get("filter") || "";
  if ([...byId("ranking-only").options].some((option) => option.value === given.get("only"))) found.only = given.get("only");
  view = found;
  rowsShown = ROWS;
};

const writeFragment = () => {
  const made = new URLSearchParams(), usual = start();
  made.set("axis", data.axes[view.axis].name);
  if (view.models.length < data.models.length) {
    view.models.forEach((index) => made.append("model", data.models[index]));
    if (!view.models.length) made.append("model", "");
  }
  if (view.splits.length < data.splits.length) {
    view.splits.forEach((index) => made.append("split", data.splits[index]));
    if (!view.splits.length) made.append("split", "");
  }
  view.classes.forEach((index) => made.append("class", data.classes[index].name));
  if (!view.classes.length) made.append("class", "");
  if (data.strips.length) made.set("photograph", data.strips[view.strip].name);
  if (view.aggregate === "overall") made.set("average", "overall");
  if (view.focus !== usual.focus) made.set("focus", data.models[view.focus]);
  if (view.level !== usual.level) made.set("level", view.level);
  if (view.sort !== usual.sort) made.set("sort", view.sort);
  if (view.down) made.set("order", "down");
  if (view.filter) made.set("filter", view.filter);
  if (view.only !== "all") made.set("only", view.only);
  history.replaceState(null, "", "#" + made);
};

// Trainings have bands of two levels; a run of fixed models has one.
const atLevel = (entry) => entry.level === view.level || data.runs[entry.run].level !== "run";
const chosen = (entry) => atLevel(entry) && view.models.includes(entry.model) && view.splits.includes(entry.split);
const shown = (entry) => entry.axis === view.axis && chosen(entry);
// What tables and maps show: the model in focus, on a chosen split that no model was trained on.
const focusSplit = () => {
  const splits = view.splits.length ? view.splits : data.splits.map((_, index) => index);
  const tested = splits.find((index) => data.splits[index] !== "train");
  return tested === undefined ? splits[0] : tested;
};
const inFocus = (records, axis = view.axis) => {
  const mine = records.filter((entry) => entry.axis === axis && entry.model === view.focus && (entry.accuracy === undefined || atLevel(entry)));
  return mine.find((entry) => entry.split === focusSplit()) || mine[mine.length - 1];
};
