// Position and compass while an alert is open: kept with their times, so that a photo gets those of its shutter.

const KEPT = 60;
const HEADING_SECONDS = 10; // an older heading says nothing about a photo
const fixes = [];
const headings = [];
const watchers = new Set();
let watching = null;
let denied = false;

export const watchPosition = (watcher) => {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
};
export const isDenied = () => denied;
export const latestFix = () => fixes.at(-1) ?? null;

function addFix({ coords, timestamp }) {
  denied = false;
  fixes.push({ lon: coords.longitude, lat: coords.latitude, accuracy: coords.accuracy, altitude: coords.altitude, at: timestamp });
  fixes.splice(0, fixes.length - KEPT);
  watchers.forEach((watcher) => watcher(latestFix()));
}

/** Start position and compass; repeated calls change nothing. */
export function startSensors() {
  if (watching !== null || !navigator.geolocation) return;
  const failed = (error) => {
    denied = error.code === error.PERMISSION_DENIED;
    watchers.forEach((watcher) => watcher(latestFix()));
  };
  watching = navigator.geolocation.watchPosition(addFix, failed, { enableHighAccuracy: true, maximumAge: 0, timeout: 60000 });
  addEventListener("deviceorientationabsolute", (event) => event.alpha !== null && addHeading(facing(event), "deviceorientationabsolute"));
  addEventListener("deviceorientation", (event) => event.webkitCompassHeading >= 0 && addHeading(event.webkitCompassHeading, "webkitCompassHeading"));
}

/** Whether the compass needs a permission that only a tap may ask for (iPhones). */
export const needsCompassPermission = () => typeof window.DeviceOrientationEvent?.requestPermission === "function" && !headings.length;
export const askForCompass = () => window.DeviceOrientationEvent.requestPermission().catch(() => "denied");

function addHeading(degrees, source) {
  headings.push({ degrees, source, at: Date.now() });
  headings.splice(0, headings.length - KEPT);
}

/** Return where the camera at the back points, clockwise from north, in any tilt of the phone (W3C orientation, A.1). */
export function facing({ alpha, beta, gamma }) {
  const [a, b, c] = [alpha, beta, gamma].map((degrees) => (degrees * Math.PI) / 180);
  const east = -Math.cos(a) * Math.sin(c) - Math.sin(a) * Math.sin(b) * Math.cos(c);
  const north = -Math.sin(a) * Math.sin(c) + Math.cos(a) * Math.sin(b) * Math.cos(c);
  if (Math.hypot(east, north) < 0.2) return (360 - alpha) % 360; // the phone lies flat: its upper edge points
  return ((Math.atan2(east, north) * 180) / Math.PI + 360) % 360;
}

const nearest = (list, at) => list.reduce((best, one) => (best && Math.abs(best.at - at) <= Math.abs(one.at - at) ? best : one), null);

const currentPosition = () =>
  new Promise((done) => navigator.geolocation.getCurrentPosition((found) => (addFix(found), done()), () => done(), { enableHighAccuracy: true, maximumAge: 0, timeout: 5000 }));

/** Return the fix and the heading nearest to a time; a new position is waited for if the known one is too old. */
export async function readingsAt(time, maxAgeSeconds) {
  let fix = nearest(fixes, time);
  if (navigator.geolocation && !denied && (!fix || Math.abs(fix.at - time) > (maxAgeSeconds / 2) * 1000)) {
    await currentPosition();
    fix = nearest(fixes, time);
  }
  const heading = nearest(headings, time);
  return { fix, heading: heading && Math.abs(heading.at - time) <= HEADING_SECONDS * 1000 ? heading : null };
}
