/**
 * Loaded into a program before it starts (`node --import`): its wall clock is off by as many milliseconds as the file
 * named by STEPPED_CLOCK_FILE says, and is stepped when that file changes. The monotonic clock is left alone, as it is
 * when an administrator or NTP sets the time. It stands for libfaketime, without a package to install.
 */
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 10;
const file = process.env.STEPPED_CLOCK_FILE;
const trueNow = Date.now.bind(Date);
let offsetMs = 0;

if (file !== undefined) {
  const look = (): void => {
    try {
      offsetMs = Number(readFileSync(file, 'utf8'));
    } catch {
      // Gone with the test that is over; this program may live a moment longer.
    }
  };
  look();
  setInterval(look, LOOK_EVERY_MS).unref();
  Date.now = () => trueNow() + offsetMs;
}
