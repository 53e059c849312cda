/* Augmented examples from weak to strong. */

const verdict = (model, prediction, strip) => {
  const right = prediction === strip.label;
  const line = make("span", { className: `verdict ${right ? "right" : "wrong"}`, title: data.models[model] });
  const said = right ? "✓" : `✗ ${titleOf(strip.run, prediction)}`;
  if (data.models.length > 1) {
    const mark = make("i", { textContent: glyph(model) });
    mark.style.color = colour(model);
    line.append(mark);
  }
  line.append(said);
  return line;
};

const drawStrip = () => {
  // A run beside this one may have no examples on the axis.
  const onAxis = (strip) => strip.items.some((item) => item.axis === view.axis);
  byId("examples").hidden = !data.strips.some(onAxis);
  if (byId("examples").hidden) return;
  if (!onAxis(data.strips[view.strip])) view.strip = data.strips.findIndex(onAxis);
  byId("strip-choice").value = String(view.strip);
  const strip = data.strips[view.strip];
  const axis = data.axes[view.axis];
  const strength = (value) => (axis.stronger === "down" ? axis.reference - value : value - axis.reference);
  const rank = (item) => (item.axis === null ? -Infinity : strength(item.value));
  const items = strip.items
    .filter((item) => item.axis === null || item.axis === view.axis)
    .sort((a, b) => (rank(a) === rank(b) ? a.replicate - b.replicate : rank(a) - rank(b)));
  byId("strip").replaceChildren(...items.map((item) => {
    const name = item.axis === null ? "identity" : `${axis.name} ${textOf(view.axis, item.value)}`;
    const caption = make("figcaption", {}, make("span", { className: "value", textContent: name }));
    item.verdicts.filter(([model]) => view.models.includes(model)).sort((a, b) => a[0] - b[0])
      .forEach(([model, prediction]) => caption.append(verdict(model, prediction, strip)));
    return make("figure", {}, make("img", { src: item.source, alt: `${data.classes[strip.class].title}, ${name}` }), caption);
  }));
};
