/* In which order everything is drawn; starts the page. */

const draw = (what) => {
  if (what !== "classes") { drawMean(); drawHeat(); drawStrip(); drawList(); }
  drawChips(); markList(); drawClasses(); drawHomes(); drawPictures(); drawRanking(); drawMultiples();
};

// Plotly takes longer to start than all the rest: words and tables answer before it.
const startPlotly = () => {
  document.head.append(make("script", { textContent: byId("plotly").textContent }));
  byId("plotly").remove();
};

// After what is there has been painted; a page in the background paints nothing.
const soon = (call) => (document.hidden ? setTimeout(call) : requestAnimationFrame(() => setTimeout(call)));

const drawFirst = () => {
  drawChips(); drawList(); drawRanking();
  const later = [drawStrip, drawPictures, drawMultiples, startPlotly, drawMean, drawClasses, drawHomes, drawHeat];
  const next = () => {
    const piece = later.shift();
    if (!piece) { document.documentElement.dataset.drawn = "whole"; return; }
    piece();
    soon(next);
  };
  soon(next);
};

const changed = (what) => { writeFragment(); draw(what); };

addEventListener("hashchange", () => { readFragment(); drawControls(); draw(); });
dark.addEventListener("change", () => { drawControls(); draw(); });
addEventListener("beforeprint", () => { printing = true; draw(); });
addEventListener("afterprint", () => { printing = false; draw(); });

readFragment();
setUpControls();
setUpSearch();
setUpRanking();
setUpDownloads();
setUpFindings();
drawControls();
drawFirst();
