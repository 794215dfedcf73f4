// Runs before the first rendering, so that the theme does not flash
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
