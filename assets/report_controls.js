/* The controls above the figures. */

const choices = (id, type, names, current, decorate, choose) => {
  const box = byId(id);
  box.querySelectorAll(".choice").forEach((node) => node.remove());
  names.forEach((name, index) => {
    const input = make("input", { type, name: id, value: name, checked: current(index) });
    input.addEventListener("change", () => choose(index, input.checked));
    const words = make("span");
    words.append(...decorate(index), name);
    box.append(make("label", { className: "choice" }, input, words));
  });
};

const drawControls = () => {
  choices("axis-choice", "radio", data.axes.map((axis) => axis.name), (index) => index === view.axis, () => [],
    (index) => { view.axis = index; changed("axis"); });
  const swap = (list, index, on) => (on ? [...list, index] : list.filter((other) => other !== index)).sort((a, b) => a - b);
  choices("model-choice", "checkbox", data.models, (index) => view.models.includes(index), (index) => {
    const mark = make("i", { textContent: glyph(index) });
    mark.style.color = colour(index);
    return [mark];
  }, (index, on) => { view.models = swap(view.models, index, on); changed("models"); });
  byId("split-choice").hidden = data.splits.length < 2;
  choices("split-choice", "checkbox", data.splits, (index) => view.splits.includes(index), () => [],
    (index, on) => { view.splits = swap(view.splits, index, on); changed("splits"); });
  byId("level-choice").hidden = data.levels.length < 2;
  const words = { run: "training runs", image: "images" };
  choices("level-choice", "radio", data.levels.map((level) => words[level]), (index) => data.levels[index] === view.level, () => [],
    (index) => { view.level = data.levels[index]; changed("level"); });
  byId("focus-choice").hidden = data.models.length < 2;
  byId("focus").value = String(view.focus);
  byId("aggregate").value = view.aggregate;
  byId("strip-choice").value = String(view.strip);
  byId("ranking-filter").value = view.filter;
  byId("ranking-only").value = view.only;
};

const setUpControls = () => {
  byId("strip-choice").append(...data.strips.map((strip, index) =>
    make("option", { value: String(index), textContent: `${data.classes[strip.class].title} (${strip.name})` })));
  byId("focus").append(...data.models.map((name, index) => make("option", { value: String(index), textContent: name })));
  byId("strip-choice").addEventListener("change", (event) => { view.strip = Number(event.target.value); writeFragment(); drawStrip(); });
  byId("aggregate").addEventListener("change", (event) => { view.aggregate = event.target.value; writeFragment(); drawMean(); });
  byId("focus").addEventListener("change", (event) => { view.focus = Number(event.target.value); rowsShown = ROWS; writeFragment(); drawHeat(); drawPictures(); drawRanking(); });
  byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
};
