// `npm run bench`: what the gateway adds to the work of its servers, beside what a proxy must add at least. All contenders run
// on this machine in one run and take turns, so the ratios mean something; the absolute numbers do not.
//
//   --all             every row of docs/performance.md, instead of the most important ones
//   --only a,b        these parts alone: calls, lists, initialize, lookup, workers, telemetry, sizes, sessions, idleCpu, startUp, storm
//   --seconds N       of CPU in each of the eight rounds (0.3)
//   --json FILE       writes the results
//   --from FILE       reads results instead of measuring
//   --docs            writes docs/performance.md
//   --guard           compares the ratios with those of docs/performance.md; ends with 1 where one is much worse
//   --telemetry       what telemetry adds to a call
//   --profile FOLDER  gateways write CPU profiles there
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startBackend } from './backend-process.mjs'
import { measureCalls } from './calls.mjs'
import { BASELINE, writeDocs } from './docs.mjs'
import { compare, guardTable } from './guard.mjs'
import { measureIdleCpu, measureSessions, measureStartUp, measureStorm } from './idle.mjs'
import { measureInitialize, measureLists, measureLookup } from './lists.mjs'
import { describeMachine, leaveFirstCore } from './machine.mjs'
import { markdown, tables } from './report.mjs'
import { measureSizes } from './sizes.mjs'
import { compareTelemetry, telemetryText } from './telemetry.mjs'
import { measureWorkers } from './workers.mjs'

const { values: options } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    docs: { type: 'boolean', default: false },
    guard: { type: 'boolean', default: false },
    telemetry: { type: 'boolean', default: false },
    only: { type: 'string' },
    seconds: { type: 'string' },
    json: { type: 'string' },
    from: { type: 'string' },
    profile: { type: 'string' },
  },
})
const ROUNDS = 8
const GUARD_ATTEMPTS = 3
const GUARD_SECONDS = 0.25
/** Of what seems worse: on a slow machine the code of a contender is still being compiled in short rounds. */
const AGAIN_SECONDS = 1
const SECONDS = 0.3
const extent = options.guard ? 'guard' : options.all ? 'all' : 'short'
const seconds = Number(options.seconds ?? (options.guard ? GUARD_SECONDS : SECONDS))
const turns = { extent, rounds: ROUNDS, seconds }

/** In which runs each is measured if nothing else is said, and how. */
const PARTS = {
  calls: ['guard short all', (backend) => measureCalls(backend, turns)],
  lists: ['guard short all', (backend) => measureLists(backend, turns)],
  initialize: ['guard short all', (backend) => measureInitialize(backend, turns)],
  lookup: ['guard short all', (backend) => measureLookup(backend, turns)],
  workers: ['short all', (backend) => measureWorkers(backend, turns)],
  telemetry: ['short all', (backend) => compareTelemetry(backend)],
  sizes: ['all', (backend) => measureSizes(backend, turns)],
  sessions: ['all', async (backend) => [await measureSessions(backend, 10_000)]],
  idleCpu: [
    'all',
    async (backend) => [
      await measureIdleCpu(backend, { targets: 100, sessions: 1_000, seconds: 20 }),
    ],
  ],
  startUp: ['all', (backend) => measureStartUp(backend, [1, 10, 100])],
  storm: [
    'all',
    async (backend) => [
      await measureStorm(backend, { changesPerSecond: 100, sessions: 100, seconds: 10 }),
      await measureStorm(backend, { changesPerSecond: 1_000, sessions: 100, seconds: 10 }),
    ],
  ],
}

if (options.telemetry) {
  leaveFirstCore()
  console.log(telemetryText(await compareTelemetry(await startBackend())))
} else if (options.guard) {
  process.exitCode = (await holds(readJson(BASELINE))) ? 0 : 1
} else {
  const results = options.from === undefined ? await measureAll() : readJson(options.from)
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
  }
  console.log(tables(results).map(markdown).join('\n\n'))
  if (options.docs) await writeDocs(results)
}
process.exit()

/** What is worse in one run may be so by what else the machine did: it counts if it stays so. */
async function holds(baseline) {
  const rows = new Map(compare(await measureAll(), baseline).map((row) => [row.key, row]))
  for (let attempt = 1; ; attempt++) {
    console.log(markdown(guardTable([...rows.values()])))
    const suspects = [...rows.values()].filter(({ isSuspect }) => isSuspect)
    if (suspects.length === 0 || attempt === GUARD_ATTEMPTS) return suspects.length === 0
    console.log(`\nonce more: ${suspects.map(({ work }) => work).join('; ')}\n`)
    turns.seconds = Math.max(turns.seconds, AGAIN_SECONDS)
    const again = await measure([...new Set(suspects.flatMap(({ parts }) => parts))])
    const known = new Set(suspects.map(({ key }) => key))
    for (const row of compare(again, baseline)) if (known.has(row.key)) rows.set(row.key, row)
  }
}

async function measureAll() {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' })
  const wanted = Object.entries(PARTS)
    .filter(([name, [extents]]) =>
      options.only === undefined
        ? extents.split(' ').includes(extent)
        : options.only.split(',').includes(name),
    )
    .map(([name]) => name)
  return {
    commit: commit.trim(),
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    secondsOfEachRound: turns.seconds,
    ...(await measure(wanted)),
  }
}

async function measure(parts) {
  leaveFirstCore()
  const backend = await startBackend()
  const results = {}
  for (const name of parts) {
    console.error(`measuring ${name} …`)
    results[name] = await PARTS[name][1](backend)
  }
  await backend.stop()
  return results
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}
