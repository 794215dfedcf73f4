// One alert: map, pictures, photos with their records, the findings, and the submission. The draft is saved on every change.
import { alertMap } from "./alert_map.js";
import { getAll, isFull } from "./database.js";
import { discardDraft, draftOf, holdDraft, newDraft, saveDraft, submitDraft, whenFree } from "./drafts.js";
import { findingsForm } from "./findings_form.js";
import { distanceToOutline } from "./geometry.js";
import { storedFile, takenAlert } from "./offline_alerts.js";
import { sync } from "./outbox.js";
import { addPhoto, deletePhoto, thumbAddress } from "./photos.js";
import { askForCompass, isDenied, latestFix, needsCompassPermission, startSensors, watchPosition } from "./sensors.js";
import { state } from "./session.js";
import { el, formatBytes, named, notice, t } from "./words.js";

const MIB = 2 ** 20;

function positionLine(alert) {
  const line = el("p", { class: "small position", role: "status" });
  const show = (fix) => {
    if (!fix) return line.replaceChildren(isDenied() ? t("fix_denied") : t("no_fix"));
    const metres = Math.round(distanceToOutline(alert.outline, fix.lon, fix.lat));
    const { accuracy_m: worst, distance_m: farthest } = state.session.settings;
    const words = [metres ? t("distance", { metres }) : t("inside"), t("accuracy", { metres: Math.round(fix.accuracy) })];
    const warnings = [fix.accuracy > worst && t("warn_accuracy", { metres: Math.round(fix.accuracy), most: worst }), metres - fix.accuracy > farthest && t("warn_distance", { metres, most: farthest })];
    line.replaceChildren(words.join(" · "), ...warnings.filter(Boolean).map((warning) => el("span", { class: "late block" }, warning)));
  };
  show(latestFix());
  return { line, stop: watchPosition(show) };
}

async function pictures(alert) {
  const shown = [];
  for (const when of ["before", "after"]) {
    const address = await storedFile(alert.number, "picture", when);
    if (!address) continue;
    const words = t(`picture_${when}`, { day: alert.images[when]?.date ?? "–" });
    shown.push(el("figure", {}, el("img", { src: address, alt: words, error: (event) => event.target.closest("figure").remove() }), el("figcaption", { class: "small muted" }, words)));
  }
  return shown.length ? el("div", { class: "pictures" }, shown) : null;
}

async function photoCard(photo, onDelete) {
  const { record } = photo;
  const address = await thumbAddress(photo.uid);
  const facts = [
    record.lon === null ? "" : `${record.lon.toFixed(6)}, ${record.lat.toFixed(6)} ±${Math.round(record.accuracy_m)} m`,
    record.heading_deg === null ? t("heading_unknown") : t("heading", { degrees: Math.round(record.heading_deg), north: t(`north_${record.heading_north || "unknown"}`) }),
    t(`from_${record.source}`),
    formatBytes(photo.size),
  ];
  return el(
    "li",
    { class: "photo", "data-uid": photo.uid },
    address ? el("img", { src: address, alt: photo.name }) : el("span", { class: "no-thumb" }, photo.name),
    el("div", { class: "small" }, facts.filter(Boolean).join(" · "), photo.warnings.map((words) => el("span", { class: "late block" }, words))),
    onDelete && el("button", { type: "button", class: "quiet small", "aria-label": t("delete_photo"), click: onDelete }, "✕"),
  );
}

/** The photos of all kinds, with a button for the camera and one for the gallery each. */
function photoSection(alert, draft, editable, changed) {
  const { settings, form } = state.session;
  const section = el("section", { "aria-labelledby": "photos-title" });
  const busy = el("p", { class: "muted small", role: "status" });

  async function take(input, shot, source, openedAt) {
    const files = [...input.files];
    input.value = "";
    busy.textContent = t("saving");
    for (const file of files) {
      if (file.size > settings.photo_mib * MIB) {
        notice(t("photo_too_large", { name: file.name, size: formatBytes(file.size), most: settings.photo_mib }));
        continue;
      }
      try {
        const photo = await addPhoto(file, { alert, check: draft.uid, shot, source, openedAt });
        draft.photos.push(photo);
        await saveDraft(draft);
      } catch (error) {
        notice(t("photo_not_saved", { words: isFull(error) ? t("storage_full") : error.message }));
      }
    }
    busy.textContent = "";
    changed();
    await render();
  }

  function button(shot, source) {
    let openedAt = 0;
    const attributes = source === "camera" ? { capture: "environment" } : { multiple: true };
    const input = el("input", { type: "file", accept: "image/*", class: "visually-hidden", tabindex: "-1", "aria-hidden": "true", "data-input": `${source}-${shot}`, ...attributes, change: () => take(input, shot, source, openedAt) });
    const press = () => {
      openedAt = Date.now();
      input.click();
    };
    return [input, el("button", { type: "button", "aria-label": `${named(form.shots[shot])} · ${t(source)}`, click: press }, t(source))];
  }

  async function render() {
    const count = (shot) => draft.photos.filter(({ record }) => record.shot === shot).length;
    const groups = [];
    for (const [shot, words] of Object.entries(form.shots)) {
      const own = draft.photos.filter(({ record }) => record.shot === shot);
      const remove = (photo) => async () => {
        if (!confirm(t("delete_sure"))) return;
        draft.photos.splice(draft.photos.indexOf(photo), 1);
        await saveDraft(draft);
        await deletePhoto(photo.uid);
        changed();
        await render();
      };
      const cards = [];
      for (const photo of own) cards.push(await photoCard(photo, editable && remove(photo)));
      groups.push(
        el(
          "div",
          { class: "shot" },
          el("div", { class: "row" }, el("h3", {}, named(words)), el("span", { class: "muted small" }, words.advised ? t("shot_count", { count: own.length, advised: words.advised }) : t("shot_count_plain", { count: own.length })), editable && button(shot, "camera"), editable && settings.gallery && button(shot, "gallery")),
          named(words, "hint") && el("p", { class: "muted small" }, named(words, "hint")),
          el("ul", { class: "plain photos" }, cards),
        ),
      );
    }
    const wanted = { least: settings.photos_least, far: settings.photos_far, near: settings.photos_near, count: draft.photos.length };
    section.replaceChildren(el("h2", { id: "photos-title" }, t("photos")), el("p", { class: "small", "data-missing": String(wanted.count < wanted.least || count("far") < wanted.far || count("near") < wanted.near) }, t("photos_wanted", wanted)), busy, ...groups);
  }

  return { section, render, complete: () => section.querySelector("[data-missing]")?.dataset.missing === "false" };
}

/** Show one alert in `view`; returns a function that leaves it. */
export async function showCheck(view, number, done) {
  const alert = await takenAlert(number);
  if (!alert || alert.login !== state.session?.login) {
    view.replaceChildren(el("p", { class: "notice warn" }, t("not_taken_why")), el("a", { class: "button", href: "#/" }, t("back")));
    return () => {};
  }
  startSensors();
  const leaving = new AbortController();
  const release = await holdDraft(number);
  const stored = await draftOf(number);
  const foreign = stored && stored.login !== state.session.login; // phones are shared
  const editable = release !== null && !foreign;
  if (release === null) whenFree(number, leaving.signal, () => !leaving.signal.aborted && done());
  const earlier = (await getAll("outbox")).some((check) => check.number === number);
  const draft = stored ?? newDraft(number);
  const map = alertMap(alert);
  const position = positionLine(alert);
  const saved = el("span", { class: "muted small", role: "status" }, stored ? t("draft_saved") : "");
  const save = () => saveDraft(draft).then(() => (saved.textContent = t("draft_saved")), (error) => notice(t("error", { words: isFull(error) ? t("storage_full") : error.message })));
  const photos = photoSection(alert, draft, editable, () => (saved.textContent = t("draft_saved")));
  const form = findingsForm(state.session.form.findings, draft.values, { mu: alert.mu, factor: state.session.settings.area_factor ?? Infinity }, (values) => save((draft.values = values)), !editable);

  async function submit(event) {
    const { photos_least: least, photos_far: far, photos_near: near } = state.session.settings;
    if (!photos.complete()) {
      notice(t("photos_missing", { least, far, near }));
      return photos.section.scrollIntoView({ block: "start" });
    }
    const findings = form.check();
    if (!findings) return;
    event.target.disabled = true;
    try {
      await submitDraft(draft, alert, findings);
    } catch (error) {
      event.target.disabled = false;
      return notice(t("error", { words: isFull(error) ? t("storage_full") : error.message }));
    }
    notice(t("submitted"), "good");
    sync();
    location.hash = "#/";
  }
  const discard = async () => {
    if (!confirm(t("discard_sure"))) return;
    await discardDraft(draft);
    location.hash = "#/";
  };

  view.replaceChildren(
    ...[
      el("div", { class: "row check-top" }, el("a", { class: "button quiet", href: "#/", "aria-label": t("back") }, "←"), el("h1", {}, number)),
      el("p", { class: "small" }, `${named(alert.kind_name)} · ${alert.mu.toFixed(2)} ${t("mu")} · ${alert.place} · ${named(alert.state_name)}`),
      alert.why && el("p", { class: "notice warn" }, alert.why),
      earlier && el("p", { class: "notice good" }, t("checked_here")),
      !editable && el("p", { class: "notice warn", role: "status" }, foreign ? t("draft_of", { name: stored.name || stored.login }) : t("held_elsewhere")),
      map.element,
      position.line,
      alert.navigation?.length && el("p", { class: "small row navigation" }, t("navigate"), alert.navigation.map(({ name, address }) => el("a", { class: "button small", href: address, target: "_blank", rel: "noopener noreferrer" }, named(name)))),
      needsCompassPermission() && el("button", { type: "button", class: "small", click: (event) => askForCompass().then((answer) => (event.target.hidden = answer === "granted")) }, t("compass")),
      await pictures(alert),
      photos.section,
      el("section", { "aria-labelledby": "findings-title" }, el("h2", { id: "findings-title" }, t("findings")), form.element),
      editable && el("div", { class: "row submit-row" }, el("button", { type: "button", class: "primary", id: "submit", click: submit }, t("submit")), el("button", { type: "button", class: "quiet", click: discard }, t("discard")), saved),
    ].filter(Boolean),
  );
  await photos.render();
  map.start();
  return () => {
    leaving.abort();
    map.stop();
    position.stop();
    release?.();
  };
}
