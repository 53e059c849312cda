/* Search and selection of classes: the list and the chips. */

let matches = [], active = -1;

const toggle = (position) => {
  const at = view.classes.indexOf(position);
  if (at >= 0) view.classes.splice(at, 1); else view.classes.push(position);
  changed("classes");
};

const sparkline = (curve, position) => {
  const accuracy = accuracies(curve), width = data.classes.length, last = Math.max(1, curve.values.length - 1);
  const spots = curve.values.map((_, row) => [1 + 42 * row / last, 13 - 12 * accuracy[row * width + position]]);
  return drawn("svg", { width: 44, height: 14, "aria-hidden": "true" }, drawn("polyline", {
    points: spots.filter(([, y]) => !Number.isNaN(y)).map((spot) => spot.map((c) => c.toFixed(1)).join(",")).join(" "),
  }));
};

const alphabetical = data.classes.map((_, index) => index)
  .sort((a, b) => data.classes[a].title.localeCompare(data.classes[b].title));

const drawList = () => {
  const wanted = byId("class-search").value.trim().toLowerCase();
  matches = alphabetical.filter((index) =>
    data.classes[index].title.toLowerCase().includes(wanted) || data.classes[index].name.toLowerCase().includes(wanted));
  active = wanted && matches.length ? 0 : -1;
  const curve = data.curves.find(shown);
  byId("class-list").replaceChildren(...matches.map((index, row) => {
    const entry = data.classes[index], size = sizeOf(index);
    const item = make("li", { id: `class-${index}`, title: entry.name }, make("span", { textContent: entry.title }));
    item.setAttribute("role", "option");
    if (curve) item.append(sparkline(curve, index));
    item.append(make("small", { textContent: size, title: size === 1 ? "1 image" : `${size} images` }));
    item.addEventListener("click", () => { active = row; toggle(index); });
    return item;
  }));
  byId("class-count").textContent = wanted
    ? `${matches.length} of ${data.classes.length} classes`
    : `${data.classes.length} ${data.classes.length === 1 ? "class" : "classes"}`;
  markList();
};

const markList = () => {
  [...byId("class-list").children].forEach((item, row) => {
    const order = view.classes.indexOf(matches[row]);
    item.setAttribute("aria-selected", String(order >= 0));
    item.style.borderLeftColor = order >= 0 ? colour(order) : "transparent";
    item.classList.toggle("active", row === active);
  });
  const input = byId("class-search");
  if (active >= 0) input.setAttribute("aria-activedescendant", `class-${matches[active]}`);
  else input.removeAttribute("aria-activedescendant");
};

const drawChips = () => {
  const chips = view.classes.map((position, order) => {
    const button = make("button", { type: "button", title: "Remove this curve" });
    const line = make("b");
    line.style.background = colour(order);
    button.append(line, data.classes[position].title + "\u2002×");
    button.addEventListener("click", () => toggle(position));
    return make("li", {}, button);
  });
  if (view.classes.length > 1) {
    const none = make("button", { type: "button", className: "plain", textContent: "remove all" });
    none.addEventListener("click", () => { view.classes = []; changed("classes"); });
    chips.push(make("li", {}, none));
  }
  byId("chosen").replaceChildren(...chips);
};

const setUpSearch = () => {
  const search = byId("class-search");
  search.addEventListener("input", drawList);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      active = Math.max(0, Math.min(matches.length - 1, active + step));
      markList();
      const item = byId("class-list").children[active];
      if (item) item.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && active >= 0) {
      toggle(matches[active]);
    } else if (event.key === "Escape") {
      search.value = "";
      drawList();
    } else return;
    event.preventDefault();
  });
};
