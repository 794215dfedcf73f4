// On a phone the filters are folded; the choice outlives the replacement of the list.
function showFilters(shown = document.body.classList.contains("filtering")) {
  document.body.classList.toggle("filtering", shown);
  document.querySelector(".show-filters")?.setAttribute("aria-expanded", String(shown));
}
document.addEventListener("click", (event) => {
  if (event.target.closest(".show-filters")) showFilters(!document.body.classList.contains("filtering"));
});
document.addEventListener("htmx:afterSettle", () => showFilters());
