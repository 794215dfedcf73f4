// Evidence of a step in the log, and what later images say about a correction.
import { createElement } from "./alert_panel.js";

/** Entries of the evidence of one step: values, photos as thumbnails, documents as links. */
export function showEvidence(entries) {
  const shot = ({ name, address, shown }) => createElement("a", { href: shown ?? address, target: "_blank", rel: "noopener", title: name }, shown ? createElement("img", { src: shown, alt: name, loading: "lazy", width: 72, height: 54 }) : `📎 ${name}`);
  const value = ({ words, files, picture }) => [
    words,
    picture ? createElement("span", { class: "shots" }, createElement("a", { href: picture, target: "_blank", rel: "noopener" }, createElement("img", { src: picture, alt: words, loading: "lazy", width: 72, height: 54 }))) : "",
    files.length ? createElement("span", { class: "shots" }, ...files.map(shot)) : "",
  ];
  return createElement("dl", {}, ...entries.flatMap((entry) => [createElement("dt", {}, entry.label), createElement("dd", {}, ...value(entry))]));
}

/** Restored, or works that went on after the stop notice, with the picture of that day. */
export function showFindings(findings, t) {
  if (!findings.length) return [];
  const rows = findings.map(({ finding, words, picture }) => createElement("li", { class: `watch ${finding}` }, words, picture ? createElement("a", { href: picture, target: "_blank", rel: "noopener" }, createElement("img", { src: picture, alt: words, loading: "lazy", width: 256, height: 256 })) : ""));
  return [createElement("h2", {}, t.watch), createElement("ul", { class: "plain" }, ...rows)];
}
