// Shows the cards of the chosen layer and status.
const cards = [...document.querySelectorAll("#cards article")];
const layer = document.getElementById("layer");
const status = document.getElementById("status");
const count = document.getElementById("count");

function show() {
  let shown = 0;
  for (const card of cards) {
    const fits = (!layer.value || card.dataset.layer === layer.value) && (!status.value || card.dataset.status === status.value);
    card.hidden = !fits;
    shown += fits ? 1 : 0;
  }
  count.textContent = `${shown} of ${cards.length} units`;
}

if (layer) {
  layer.addEventListener("change", show);
  status.addEventListener("change", show);
  show();
}
