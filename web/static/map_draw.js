// Draw a change that no scan reported, on the images of the map.
import { openDialog } from "./alert_dialogs.js";
import { createElement } from "./alert_panel.js";
import { fill, notice, post, root } from "./tuban.js";

export class DrawAlert {
  /** `kinds`: kind → words; `onDone()`: called after an alert was created, so that the map shows it. */
  constructor(map, texts, kinds, onDone) {
    Object.assign(this, { map, t: texts, kinds, onDone });
    this.button = document.getElementById("draw-alert");
    this.button?.addEventListener("click", () => (this.draw ? this.stop() : this.start()));
    addEventListener("keydown", (event) => event.key === "Escape" && this.draw && this.stop());
  }

  start() {
    this.draw = new ol.interaction.Draw({ type: "Polygon", source: new ol.source.Vector() });
    this.map.addInteraction(this.draw);
    this.button.setAttribute("aria-pressed", "true");
    notice(this.t.draw_hint, "good");
    this.draw.on("drawend", ({ feature }) => {
      const outline = new ol.format.GeoJSON().writeGeometryObject(feature.getGeometry(), { dataProjection: "EPSG:4326", featureProjection: "EPSG:3857", decimals: 8 });
      setTimeout(() => this.stop()); // after the double click, which would zoom the map
      this.enter(outline);
    });
  }

  stop() {
    if (this.draw) this.map.removeInteraction(this.draw);
    this.draw = undefined;
    this.button.setAttribute("aria-pressed", "false");
  }

  enter(outline) {
    const { t } = this;
    const kind = createElement("select", { name: "kind", required: true }, ...Object.entries(this.kinds).map(([value, words]) => createElement("option", { value }, words)));
    const why = createElement("textarea", { name: "why", rows: 3, required: true, minlength: 2, maxlength: 1500 });
    const fault = createElement("p", { class: "notice bad", role: "alert", hidden: true });
    const save = async (form) => {
      try {
        const { number, created, changes } = await post(`${root}/api/drawn-alerts`, { outline, kind: form.elements.kind.value, why: form.elements.why.value });
        notice(fill(created ? t.draw_done : t.draw_joined, { number, changes: changes.join(document.documentElement.lang.startsWith("zh") ? "，" : ", ") }), "good");
        this.onDone();
        return true;
      } catch (error) {
        fault.textContent = error.message;
        fault.hidden = false;
        return undefined;
      }
    };
    openDialog(t.draw_title, [createElement("label", {}, t.draw_kind, kind), createElement("label", {}, t.draw_why, why), fault], { save: t.draw_save, cancel: t.draw_cancel }, save, () => why.focus());
  }
}
