// Styles of the map. Alerts: colour and shape by kind, fill and symbol by state.

const KIND = { construction: ["#ff5a3c", 4, Math.PI / 4], ground: ["#ffd23f", 3, 0], demolition: ["#5cc8ff", 4, 0] };
const INK = "#1b1b1b";
const cache = new Map();

/** Return the group of a state in the legend: new, work, correcting or done. */
export function groupOf(state, states) {
  const category = states[state]?.category ?? "open";
  if (category === "open") return state === "new" || state === "triaged" ? "new" : "work";
  return category === "correcting" ? "correcting" : "done";
}

/** Return the states of a selected group; [] for all. */
export function statesOf(choice, states) {
  if (choice === "all") return [];
  const groups = choice === "unfinished" ? ["new", "work", "correcting"] : [choice];
  return Object.keys(states).filter((state) => groups.includes(groupOf(state, states)));
}

function cached(key, create) {
  if (!cache.has(key)) cache.set(key, create());
  return cache.get(key);
}

function alertSymbol(kind, group) {
  const [colour, points, angle] = KIND[kind] ?? KIND.construction;
  const fill = new ol.style.Fill({ color: group === "done" ? "rgba(255,255,255,.55)" : colour });
  const stroke = new ol.style.Stroke({ color: group === "done" ? colour : INK, width: group === "done" ? 3 : 1.5 });
  const shape = (radius, style) => new ol.style.Style({ image: new ol.style.RegularShape({ points, radius, angle, ...style }) });
  const styles = [shape(11, { fill: new ol.style.Fill({ color: "rgba(255,255,255,.9)" }) }), shape(9, { fill, stroke })];
  if (group === "work") styles.push(new ol.style.Style({ image: new ol.style.Circle({ radius: 2.4, fill: new ol.style.Fill({ color: INK }) }) }));
  if (group === "correcting") styles.push(new ol.style.Style({ image: new ol.style.RegularShape({ points: 2, radius: 8, angle: Math.PI / 4, stroke: new ol.style.Stroke({ color: INK, width: 2.4 }) }) }));
  return styles;
}

export function markStyle(states) {
  return (feature) => {
    const { kind, state, count } = feature.getProperties();
    if (count === 1) {
      const group = groupOf(state, states);
      return cached(`${kind} ${group}`, () => alertSymbol(kind, group));
    }
    return cached(`${kind} × ${count}`, () =>
      new ol.style.Style({
        image: new ol.style.Circle({
          radius: Math.min(26, 11 + 2.2 * Math.log2(count)),
          fill: new ol.style.Fill({ color: (KIND[kind] ?? KIND.construction)[0] }),
          stroke: new ol.style.Stroke({ color: "#fff", width: 2.5 }),
        }),
        text: new ol.style.Text({ text: count > 9999 ? `${Math.round(count / 1000)}k` : String(count), font: "700 13px system-ui, sans-serif", fill: new ol.style.Fill({ color: INK }) }),
      }),
    );
  };
}

export function outlineStyle(states) {
  return (feature) => {
    const { kind, state } = feature.getProperties();
    const group = groupOf(state, states);
    const dash = group === "done" ? [6, 5] : undefined;
    return cached(`outline ${kind} ${group}`, () => [
      new ol.style.Style({ stroke: new ol.style.Stroke({ color: "rgba(20,20,20,.85)", width: 4.5 }) }),
      new ol.style.Style({ stroke: new ol.style.Stroke({ color: (KIND[kind] ?? KIND.construction)[0], width: 2.2, lineDash: dash }), fill: new ol.style.Fill({ color: "rgba(255,255,255,.04)" }) }),
    ]);
  };
}

/** The position error of an alert that a camera saw obliquely. */
export const ellipseStyle = () => [
  new ol.style.Style({ stroke: new ol.style.Stroke({ color: "rgba(20,20,20,.8)", width: 3.5, lineDash: [6, 5] }) }),
  new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#ffffff", width: 1.8, lineDash: [6, 5] }) }),
];

const WIDTHS = { county: 2.6, township: 1.8, village: 1.2 };

export function areaStyle(feature) {
  const { level, name } = feature.getProperties();
  const width = WIDTHS[level] ?? 1;
  return [
    new ol.style.Style({ stroke: new ol.style.Stroke({ color: "rgba(255,255,255,.85)", width: width + 2 }) }),
    new ol.style.Style({
      stroke: new ol.style.Stroke({ color: "#33443d", width, lineDash: level === "village" ? [6, 4] : undefined }),
      text: new ol.style.Text({ text: name, overflow: false, font: `${level === "village" ? 500 : 700} 13px system-ui, "Noto Sans CJK SC", sans-serif`, fill: new ol.style.Fill({ color: INK }), stroke: new ol.style.Stroke({ color: "#fff", width: 3.5 }) }),
    }),
  ];
}

export const footprintStyle = () => new ol.style.Style({ stroke: new ol.style.Stroke({ color: "#00738a", width: 1.6, lineDash: [10, 5] }) });

const LAYERS = {
  approval: ["#2f7d32", [6, 3], 2],
  temporary_use: ["#2f7d32", [2, 4], 2],
  cultivated: ["#b58900", undefined, 2],
  basic_farmland: ["#a85b00", undefined, 3],
  plan: ["#7b3fb8", [2, 3], 2],
  farm_facility: ["#00738a", [8, 2, 2, 2], 2],
  protected: ["#b0175d", [10, 4], 2],
};

export function layerStyle(kind) {
  const [color, lineDash, width] = LAYERS[kind] ?? ["#6b6f76", undefined, 2];
  return new ol.style.Style({ stroke: new ol.style.Stroke({ color, width, lineDash }), fill: new ol.style.Fill({ color: `${color}2e` }) });
}
