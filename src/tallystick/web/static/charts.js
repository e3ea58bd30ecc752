// Draws every figure of the page from the data that stands beside it. Without scripts its words and links stay.

const dark = matchMedia("(prefers-color-scheme: dark)");
const figures = [...document.querySelectorAll("figure.chart")];

function read(element) {
  return JSON.parse(element.textContent);
}

function fitted(specification, canvas) {
  delete specification.title; // the page has it as a heading
  specification.width = "container";
  specification.background = "transparent";
  specification.padding = { left: 0, right: 16, top: 8, bottom: 6 };
  if (canvas.dataset.height) {
    specification.height = Number(canvas.dataset.height);
  }
  return specification;
}

// Names of many keys in a legend share the width that there is.
function styled(style, canvas) {
  const columns = Math.max(2, Math.min(style.legend.columns, Math.floor(canvas.clientWidth / 170)));
  const labelLimit = Math.floor((canvas.clientWidth - 60) / columns) - 36;
  return { ...style, legend: { ...style.legend, columns, labelLimit } };
}

async function draw(figure, styles) {
  const canvas = figure.querySelector(".canvas");
  const specification = fitted(read(figure.querySelector(".specification")), canvas);
  if (!specification.data.values.length) {
    return tell(figure, "drawn", "Nothing in this period.");
  }
  const drawn = await vegaEmbed(canvas, specification, {
    ast: true, // no eval: the page's policy forbids it
    actions: false,
    config: styled(styles[dark.matches ? "dark" : "light"], canvas),
    defaultStyle: false,
    renderer: "svg",
    tooltip: { disableDefaultStyle: true },
  });
  figure.finalize?.();
  figure.finalize = () => drawn.finalize();
  figure.dataset.state = "drawn";
}

function tell(figure, state, text) {
  const told = document.createElement("p");
  told.className = "help";
  told.textContent = text;
  figure.querySelector(".canvas").replaceChildren(told);
  figure.dataset.state = state;
}

async function drawAll() {
  const styles = read(document.getElementById("chart-styles"));
  for (const figure of figures) {
    try {
      await draw(figure, styles);
    } catch (error) {
      tell(figure, "failed", "This picture could not be drawn. The table and the file beside it have its figures.");
      console.error(error);
    }
  }
}

if (figures.length) {
  await drawAll();
  dark.addEventListener("change", drawAll);
}
