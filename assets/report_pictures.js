/* The chosen classes, closely: pictures, where each flips, and drift. */

const NEVER = 1000, WRONG = 1001;  // as in lpa/report/flips.py

const picturesOf = (run, position) => data.pictures[run][position];
const flipRecord = (run, axis, model) =>
  data.flips.find((entry) => entry.run === run && entry.axis === axis && entry.model === model);
const valuesOf = (axis, model) => {
  const curve = data.curves.find((entry) => entry.axis === axis && entry.model === model);
  return curve ? curve.values : [];
};

// Where one picture flips, in words; null where the model was not measured.
const flipOf = (run, axis, model, number) => {
  const record = flipRecord(run, axis, model);
  if (!record) return null;
  const { at, said } = flipsOf(record);
  const words = { at: at[number], said: titleOf(run, said[number]) };
  if (words.at < 0) return null;
  if (words.at === NEVER) return { ...words, right: true, text: "keeps its label" };
  if (words.at === WRONG) return { ...words, right: false, text: `wrong from the start: ${words.said}` };
  const value = textOf(axis, valuesOf(axis, model)[words.at]);
  return { ...words, right: false, text: `from ${value} on: ${words.said}` };
};

const captioned = (source, alternative, right, text) => {
  const caption = make("figcaption", { className: right ? "right" : "wrong", textContent: `${right ? "✓" : "✗"} ${text}` });
  return make("figure", {}, make("img", { src: source, alt: alternative }), ...(text ? [caption] : []));
};

const driftTable = (run, position) => {
  const record = inFocus(data.drifts);
  const rows = record && record.run === run ? flowsOf(record).get(position) || [] : [];
  if (!rows.length) return null;
  const claim = ["", "shown", "shown, a swap"];
  const body = rows.map((row) => make("tr", {},
    make("th", { scope: "row", textContent: titleOf(run, row.to) }),
    make("td", { className: "number", textContent: `+${short(Math.round(10 * row.images) / 10)}` }),
    make("td", {}, make("span", { className: "number", textContent: `+${points(row.flow)}` }),
      make("span", { className: "interval", textContent: between(row.low, row.high, points) })),
    make("td", { textContent: claim[row.claimed] })));
  const place = `${data.axes[record.axis].name} ${textOf(record.axis, record.value)}`;
  const head = ["Taken for, at " + place, "Images", "Points", ""].map((text) => make("th", { scope: "col", textContent: text }));
  return make("div", { className: "scroll" },
    make("table", { className: "numbers drift" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)));
};

const drawPictures = () => {
  const run = runOf(view.focus);
  const groups = view.classes.map((position, order) => {
    const entry = data.classes[position], found = picturesOf(run, position), drift = driftTable(run, position);
    if (!found && !drift) return null;
    const size = entry.n[run];
    const count = found ? (size === 1 ? " 1 image" : ` ${found.sources.length} of ${size} images`) : ` ${size} ${size === 1 ? "image" : "images"}, no pictures`;
    const line = make("b");
    line.style.background = colour(order);
    const images = (found ? found.sources : []).map((source, at) => {
      const flip = flipOf(run, view.axis, view.focus, found.start + at);
      return captioned(source, `Picture of the class ${entry.title}`, flip ? flip.right : true, flip ? flip.text : "");
    });
    return make("section", {}, make("h3", {}, line, entry.title, make("small", { textContent: count })),
      make("div", { className: images.length === 1 ? "pictures one" : "pictures" }, ...images), ...(drift ? [drift] : []));
  }).filter(Boolean);
  byId("class-pictures").replaceChildren(...groups);
  byId("pictures").hidden = !groups.length;
  const words = [`For ${data.models[view.focus]} on ${data.axes[view.axis].name}.`];
  if (view.classes.some((position) => picturesOf(run, position))) {
    words.push("Under each picture: from which value on its label is no longer the most frequent prediction, and what is said instead.");
  }
  if (inFocus(data.drifts)) {
    words.push("Tables: which predictions the class gains, as images on balance and in points with 95 % intervals (level image); only what is marked as shown is a claim.");
  }
  byId("pictures-note").textContent = words.join(" ");
};
