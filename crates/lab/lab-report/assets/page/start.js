// @ts-check
// Puts everything on the page, once.

document.documentElement.classList.add("scripted");
drawThroughput();
drawRounds();
drawLatency();
drawCost();
drawPhases();
drawTime();
setUpTrials();
markShown();
saves("save-csv", "csv", "text/csv", csv);
saves("save-json", "json", "application/json", () => document.getElementById("weir-data")?.textContent ?? "");

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.getAttribute("data-copy") ?? "");
    if (!source) return;
    try {
      await navigator.clipboard.writeText(source.textContent ?? "");
      button.textContent = "Copied";
    } catch {
      // A page opened from a file may not use the clipboard: mark the text instead.
      getSelection()?.selectAllChildren(source);
      button.textContent = "Marked: press Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), 3000);
  });
}

// A link to a folded table opens it; paper has nothing to click on.
function openTarget() {
  const target = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  const details = target?.closest("details") ?? target?.querySelector(":scope > details");
  if (details) details.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => (details.open = true)));
