// What is unsent as a zip file, for a phone that cannot send: the original photos and the steps as JSON.
import { zip } from "../../packages/fflate.js";
import { getAll } from "./database.js";
import { checks, sentSteps } from "./outbox.js";
import { originalOf } from "./photos.js";

const extension = (name) => /\.[A-Za-z0-9]{1,5}$/.exec(name)?.[0].toLowerCase() ?? ".jpg";

/** Return the zip of all checks with unsent steps and of all drafts, as a Blob. */
export async function exportUnsent() {
  const files = {};
  const unsent = (await checks()).filter((check) => sentSteps(check) < check.steps.length);
  const drafts = await getAll("drafts");
  const add = async (folder, photos) => {
    for (const { uid, name } of photos) {
      const photo = await originalOf(uid);
      if (photo) files[`${folder}/${uid}${extension(name)}`] = [new Uint8Array(photo.bytes), { level: 0 }]; // photos do not compress
    }
  };
  for (const check of unsent) {
    const folder = `${check.number}_${check.uid.slice(0, 8)}`;
    await add(folder, check.steps.filter(({ kind }) => kind === "photo").map(({ uid, content }) => ({ uid, name: content.name })));
    files[`${folder}/check.json`] = new TextEncoder().encode(JSON.stringify(check, null, 2));
  }
  for (const draft of drafts) {
    const folder = `${draft.number}_draft`;
    await add(folder, draft.photos);
    files[`${folder}/draft.json`] = new TextEncoder().encode(JSON.stringify(draft, null, 2));
  }
  const bytes = await new Promise((done, failed) => zip(files, (error, data) => (error ? failed(error) : done(data))));
  return new Blob([bytes], { type: "application/zip" });
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
