// Play the epochs: the tiles of one epoch stand out.
const main = document.querySelector("main");
const slider = document.querySelector(".play input");
const button = document.querySelector(".play button");
const output = document.querySelector(".play output");
let timer = 0;
function show() {
  const column = Number(slider.value) + 1;
  for (const row of document.querySelectorAll("tr")) {
    [...row.children].forEach((cell, index) => cell.classList.toggle("now", index === column));
  }
  const heading = document.querySelector("thead tr").children[column];
  const [count] = document.querySelector("thead tr").children[1].textContent.split(" ");
  output.textContent = column === 1 ? heading.textContent : `${count} ${heading.textContent}`;
}
function stop() {
  clearInterval(timer);
  timer = 0;
  button.textContent = "▶ Play";
  delete main.dataset.played;
}
function play() {
  if (slider.value === slider.max) slider.value = 0;
  button.textContent = "❚❚ Pause";
  main.dataset.played = "";
  show();
  timer = setInterval(() => {
    if (slider.value === slider.max) return stop();
    slider.value = Number(slider.value) + 1;
    show();
  }, 900);
}
if (slider) {
  button.addEventListener("click", () => (timer ? stop() : play()));
  slider.addEventListener("input", () => {
    stop();
    show();
  });
  show();
}
