// Names for screen readers, which the theme does not give: of its arrows that unfold parts of the navigation, and of the navigation.
document.querySelectorAll("details > summary").forEach((arrow) => {
  const link = arrow.closest("li")?.querySelector("a");
  if (link && !arrow.textContent.trim()) arrow.setAttribute("aria-label", `Pages below ${link.textContent.trim()}`);
});
document.querySelectorAll("nav:not([aria-label], [aria-labelledby])").forEach((nav) => nav.setAttribute("aria-label", "Parts of the site"));
