/* The ranking: sorted, filtered, and driving the curves. */

const ROWS = 100;  // rows shown at a time
let rowsShown = ROWS;

const strengthOf = (number) => {
  const axis = data.axes[view.axis];
  return axis.stronger === "down" && Number.isFinite(number) ? axis.reference - number
    : Number.isFinite(number) ? number - axis.reference : number;
};
const threshold = (number) =>
  number === -Infinity ? "at once" : number === Infinity ? "never" : known(number) ? String(Number(number.toPrecision(3))) : "–";
const between = (low, high, write) => (known(low) && known(high) ? `${write(low)} to ${write(high)}` : "");

const COLUMNS = [
  { name: "class", title: () => "Class", key: (_, at) => data.classes[at].title },
  { name: "rank", title: () => "Rank", key: (c, at) => c.rank[at], text: (c, at) => (known(c.rank[at]) ? String(c.rank[at]) : "–"),
    interval: (c, at) => between(c.rankLow[at], c.rankHigh[at], (r) => String(Math.round(r))) },
  { name: "among", title: () => "Among the 10 most hurt", key: (c, at) => c.among[at], text: (c, at) => (known(c.among[at]) ? Math.round(100 * c.among[at]) + " %" : "–") },
  { name: "loss", title: () => "Mean loss J, points", key: (c, at) => c.loss[at], text: (c, at) => points(c.loss[at]), interval: (c, at) => between(c.low[at], c.high[at], points) },
  { name: "there", title: (record) => `Loss at ${textOf(record.axis, record.value)}, points`, key: (c, at) => c.there[at], text: (c, at) => points(c.there[at]),
    interval: (c, at) => between(c.thereLow[at], c.thereHigh[at], points) },
  { name: "threshold", title: () => "Threshold for 10 points", key: (c, at) => strengthOf(c.threshold[at]), text: (c, at) => threshold(c.threshold[at]),
    interval: (c, at) => between(c.soonest[at], c.latest[at], threshold) },
  { name: "images", title: () => "Images", key: (_, at) => sizeOf(at), text: (_, at) => String(sizeOf(at)) },
];
// Among ten classes or fewer, all are among the ten most hurt.
const columnsShown = (record) => COLUMNS.filter((column) =>
  (column.name !== "there" || record.value !== undefined) && (column.name !== "among" || record.ranked > 10));

const rankingRows = (record) => {
  const columns = columnsOf(record), column = columnsShown(record).find((each) => each.name === view.sort) || COLUMNS[1];
  const wanted = view.filter.trim().toLowerCase();
  const passes = {
    all: () => true,
    lost: (at) => columns.thereLow && columns.thereLow[at] > 0,
    threshold: (at) => known(columns.threshold[at]) && columns.threshold[at] !== Infinity,
    chosen: (at) => view.classes.includes(at),
  }[view.only];
  const rows = data.classes.map((_, at) => at).filter((at) => data.classes[at].n[record.run] && passes(at) &&
    (data.classes[at].title.toLowerCase().includes(wanted) || data.classes[at].name.toLowerCase().includes(wanted)));
  const sign = view.down ? -1 : 1;
  const lesser = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a === b ? 0 : a < b ? -1 : 1);
  return rows.map((at) => ({ at, key: column.key(columns, at) })).sort((a, b) => {
    // What has no number comes last, whichever way the rest is sorted.
    const there = Number(known(b.key)) - Number(known(a.key));
    return there || sign * (known(a.key) ? lesser(a.key, b.key) : 0) || lesser(columns.loss[b.at], columns.loss[a.at]) || a.at - b.at;
  }).map(({ at }) => at);
};

const drawRanking = () => {
  const record = inFocus(data.ranks), table = byId("ranking-table");
  byId("ranking-more").hidden = true;
  byId("ranking-count").textContent = "";
  if (!record) {
    table.tHead.replaceChildren();
    table.tBodies[0].replaceChildren();
    byId("ranking-note").textContent = `${data.models[view.focus]} has no losses on ${data.axes[view.axis].name}: that takes the reference and another value.`;
    return;
  }
  const columns = columnsOf(record), list = columnsShown(record), rows = rankingRows(record);
  byId("ranking-note").textContent = record.ranked
    ? `${curveName(record)} on ${data.axes[record.axis].name}: ${record.ranked} ${record.ranked === 1 ? "class" : "classes"} ranked by their mean loss along the axis, 1 the most hurt. Intervals are 95 %, of level ${record.level}, each by itself. Click a class to show its curve.`
    : `${curveName(record)} on ${data.axes[record.axis].name}: no class is ranked, since none has 10 images and an interval. The losses below describe these images${data.runs[record.run].level === "run" ? " and trainings" : ""}. Click a class to show its curve.`;
  table.tHead.replaceChildren(make("tr", {}, ...list.map((column) => {
    const sorted = column.name === view.sort;
    const button = make("button", { type: "button", textContent: column.title(record) });
    button.addEventListener("click", () => {
      view.down = sorted ? !view.down : false;
      view.sort = column.name;
      writeFragment();
      drawRanking();
      byId("ranking-table").querySelector(`th[data-column="${column.name}"] button`).focus();
    });
    const head = make("th", { scope: "col" }, button);
    head.dataset.column = column.name;
    head.setAttribute("aria-sort", sorted ? (view.down ? "descending" : "ascending") : "none");
    return head;
  })));
  table.tBodies[0].replaceChildren(...rows.slice(0, printing ? 50 : rowsShown).map((at) => {
    const order = view.classes.indexOf(at);
    const name = make("button", { type: "button" });
    const line = make("b");
    if (order >= 0) line.style.background = colour(order);
    name.append(line, data.classes[at].title);
    name.setAttribute("aria-pressed", String(order >= 0));
    const row = make("tr", { className: order >= 0 ? "on" : "" }, make("th", { scope: "row" }, name));
    row.addEventListener("click", () => {
      toggle(at);
      const again = byId("ranking-table").querySelector(`tr[data-class="${at}"] button`);
      if (again) again.focus({ preventScroll: true });
    });
    row.dataset.class = at;
    row.append(...list.slice(1).map((column) => make("td", {}, make("span", { className: "number", textContent: column.text(columns, at) }),
      make("span", { className: "interval", textContent: column.interval ? column.interval(columns, at) : "" }))));
    return row;
  }));
  byId("ranking-count").textContent = `${rows.length} of ${data.classes.filter((entry) => entry.n[record.run]).length} classes`;
  byId("ranking-more").hidden = rows.length <= rowsShown;
  byId("ranking-more").textContent = `Show ${Math.min(ROWS, rows.length - rowsShown)} more of ${rows.length - rowsShown}`;
};

const setUpRanking = () => {
  byId("ranking-filter").addEventListener("input", (event) => { view.filter = event.target.value; rowsShown = ROWS; writeFragment(); drawRanking(); });
  byId("ranking-only").addEventListener("change", (event) => { view.only = event.target.value; rowsShown = ROWS; writeFragment(); drawRanking(); });
  byId("ranking-more").addEventListener("click", () => { rowsShown += ROWS; drawRanking(); });
};
