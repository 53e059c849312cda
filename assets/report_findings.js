/* The findings: their evidence, showing and copying them. */

const evidence = (finding) => {
  const strip = data.strips.find((entry) => entry.run === finding.run && entry.class === finding.class);
  const place = `${data.axes[finding.axis].name} ${textOf(finding.axis, finding.value)}`;
  const title = data.classes[finding.class].title, images = [];
  const item = strip && strip.items.find((each) => each.axis === finding.axis && each.value === finding.value);
  const saying = item && item.verdicts.find(([model, prediction]) => model === finding.model && prediction !== strip.label);
  if (saying) images.push(captioned(item.source, `${title}, ${place}`, false, `at ${place}: ${titleOf(finding.run, saying[1])}`));
  const found = picturesOf(finding.run, finding.class);
  const position = valuesOf(finding.axis, finding.model).indexOf(finding.value);
  (found ? found.sources : []).forEach((source, at) => {
    const flip = flipOf(finding.run, finding.axis, finding.model, found.start + at);
    if (flip && flip.at <= position) images.push(captioned(source, `Picture of the class ${title}`, false, flip.text));
  });
  return images.slice(0, 4);
};

const announce = (text) => { byId("announce").textContent = text; };

const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where the clipboard is closed to pages, the older way still is open.
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
};

const setUpFindings = () => {
  document.querySelectorAll("[data-evidence]").forEach((node) => node.append(...evidence(data.findings[node.dataset.evidence])));
  document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    await copy(data.findings[button.dataset.copy].markdown);
    announce("The finding is copied as Markdown.");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy finding"; }, 2000);
  }));
  document.querySelectorAll("[data-show]").forEach((button) => button.addEventListener("click", () => {
    const finding = data.findings[button.dataset.show];
    Object.assign(view, { axis: finding.axis, focus: finding.model, classes: [finding.class] });
    if (!view.models.includes(finding.model)) view.models = [...view.models, finding.model].sort((a, b) => a - b);
    if (!view.splits.includes(finding.split)) view.splits = [...view.splits, finding.split].sort((a, b) => a - b);
    drawControls();
    changed();
    byId("classes").scrollIntoView({ block: "start" });
  }));
};
