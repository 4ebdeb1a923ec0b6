// `node --import clock.mjs`: the wall clock is off by as many milliseconds as the file CLOCK_OFFSET_FILE says, from the moment
// it is written on. What measures intervals, timers and `performance`, goes on as it is.
import { readFileSync } from 'node:fs'

const now = Date.now.bind(Date)
const offset = () => {
  try {
    return Number(readFileSync(process.env['CLOCK_OFFSET_FILE'], 'utf8'))
  } catch {
    return 0
  }
}

globalThis.Date = class extends Date {
  constructor(...given) {
    super(...(given.length === 0 ? [now() + offset()] : given))
  }

  static now() {
    return now() + offset()
  }
}
