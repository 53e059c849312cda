/* The numbers behind each figure, as CSV. */

// As lpa/csv_cells.py: a spreadsheet must not take a name for a formula.
const cell = (value) => {
  if (typeof value === "number") return Number.isNaN(value) ? "" : value === Infinity ? "never" : value === -Infinity ? "at once" : String(Number(value.toPrecision(6)));
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
  return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
};
const csv = (columns, rows) => [columns, ...rows].map((row) => row.map(cell).join(",") + "\n").join("");

const CURVE = ["model", "axis", "split", "level"];
const curveCells = (entry) => [data.models[entry.model], data.axes[entry.axis].name, data.splits[entry.split], entry.level];
const classRows = (entries, positions) => entries.flatMap((entry) => positions.filter((at) => data.classes[at].n[entry.run]).flatMap((at) => {
  const series = ofClass(entry, at);
  return entry.values.map((value, row) => [...curveCells(entry), data.classes[at].name, data.classes[at].title, value,
    series.accuracy[row], series.low[row], series.high[row], data.classes[at].n[entry.run], entry.draws[row]]);
}));
const CLASS = [...CURVE, "class", "title", "value", "accuracy", "low", "high", "n", "draws"];

const TABLES = {
  findings: () => {
    const names = data.findings.length ? Object.keys(data.findings[0].numbers) : [];
    return csv(names, data.findings.map((finding) => names.map((name) => finding.numbers[name])));
  },
  mean: () => csv([...CURVE, "aggregate", "value", "accuracy", "low", "high", "n", "draws", "method"], meanEntries().flatMap((entry) =>
    entry.values.map((value, at) => [...curveCells(entry), entry.aggregate, value, entry.accuracy[at], entry.low[at], entry.high[at], entry.n, entry.draws[at], entry.method]))),
  classes: () => csv(CLASS, classRows(classEntries(), view.classes)),
  multiples: () => csv(CLASS, classRows(data.curves.filter(chosen), view.classes)),
  heat: () => {
    const curve = inFocus(data.curves);
    return csv(CLASS, curve ? classRows([curve], curve.order) : []);
  },
  ranking: () => {
    const record = inFocus(data.ranks);
    const columns = record ? columnsOf(record) : {}, names = Object.keys(columns);
    return csv([...CURVE, "class", "title", "n", "value_of_there", ...names], record ? rankingRows(record).map((at) =>
      [...curveCells(record), data.classes[at].name, data.classes[at].title, data.classes[at].n[record.run], record.value, ...names.map((name) => columns[name][at])]) : []);
  },
  drift: () => {
    const record = inFocus(data.drifts), flows = record ? flowsOf(record) : new Map();
    return csv([...CURVE, "class", "title", "value", "other_title", "images", "flow", "low", "high", "claimed", "n", "method"], view.classes.flatMap((at) =>
      (flows.get(at) || []).map((row) => [...curveCells(record), data.classes[at].name, data.classes[at].title, record.value,
        titleOf(record.run, row.to), row.images, row.flow, row.low, row.high, row.claimed > 0, data.classes[at].n[record.run], record.method])));
  },
};

const download = (name) => {
  const table = data.tables[name];
  const text = table ? csv(table.columns, table.rows) : TABLES[name]();
  const source = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  make("a", { href: source, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(source), 10000);
};

const setUpDownloads = () => {
  document.querySelectorAll(".download").forEach((button) =>
    button.addEventListener("click", () => download(button.dataset.numbers)));
};
