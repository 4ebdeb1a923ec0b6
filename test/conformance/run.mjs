// `npm run conformance [-- --requirements REVISION] [-- --setup NAME]`: the official suite against the gateway, with this
// project's fixture servers behind it:
//
//   older      one server of 2025-11-25, under its own names
//   newer      one server of 2026-07-28, under its own names
//   federated  two of 2025-11-25, called by the names under which the gateway exposes the first
//
// `--setup direct-older` and `direct-newer` leave the gateway out, to tell the fixtures' faults from ours.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startExposedNames } from './exposed-names.mjs'
import { installTools } from './tools.mjs'

const READY_MS = 30_000

const { values } = parseArgs({
  options: {
    setup: { type: 'string', multiple: true },
    requirements: { type: 'string', multiple: true },
  },
})
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const children = []
const folder = await mkdtemp(join(tmpdir(), 'junction-conformance-'))
// Without this an interrupted run would leave the servers behind.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop(1))

/** A gateway with one backend, under its own names. */
const alone = async (program) =>
  startGateway([
    {
      name: 'one',
      prefix: '',
      roots: true,
      parkCalls: true,
      mcp: { url: await startFixture(program) },
    },
  ])

const SETUPS = {
  'direct-older': () => startFixture('fixture-server.mjs'),
  'direct-newer': () => startFixture('modern-fixture.mjs'),
  older: () => alone('fixture-server.mjs'),
  newer: () => alone('modern-fixture.mjs'),
  federated: async () => {
    const [one, two] = await Promise.all([
      startFixture('fixture-server.mjs'),
      startFixture('fixture-server.mjs'),
    ])
    const targets = [
      { name: 'one', mcp: { url: one } },
      { name: 'two', mcp: { url: two } },
    ]
    return startExposedNames(await startGateway(targets), 'one')
  },
}

/** What is run where nothing else is asked for. */
const RUNS = {
  '2025-11-25': ['older', 'newer', 'federated'],
  '2026-07-28': ['older', 'newer'],
}
const EXPECTED_FAILURES = { '2026-07-28 older': 'expected-failures-older-server.yaml' }

try {
  const tools = await installTools()
  let worst = 0
  for (const revision of values.requirements ?? Object.keys(RUNS)) {
    for (const setup of values.setup ?? RUNS[revision] ?? []) {
      worst = Math.max(worst, await run(tools, revision, setup))
    }
  }
  await stop(worst)
} catch (error) {
  console.error(error.message)
  await stop(1)
}

/** Gives the exit code of the suite. */
async function run(tools, revision, setup) {
  if (!Object.hasOwn(SETUPS, setup)) throw new Error(`there is no setup "${setup}"`)
  console.log(`\n--- ${revision}, ${setup}`)
  const results = here(`out/${revision}/${setup}`)
  await rm(results, { recursive: true, force: true })
  const url = await SETUPS[setup]()
  const args = ['server', '--url', url, '--requirements', revision, '-o', results]
  const expected = EXPECTED_FAILURES[`${revision} ${setup}`]
  if (expected !== undefined) args.push('--expected-failures', here(expected))
  const suite = start(tools.node, [tools.conformance, ...args], 'inherit')
  const [code] = await once(suite, 'exit')
  await stopChildren()
  return code ?? 1
}

async function stopChildren() {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill()
    await once(child, 'exit')
  }
}

async function stop(code) {
  await stopChildren()
  await rm(folder, { recursive: true, force: true })
  process.exit(code)
}

function start(command, args, stdout = 'pipe') {
  const child = spawn(command, args, { stdio: ['ignore', stdout, 'inherit'] })
  children.push(child)
  return child
}

/** Gives what `pick` finds first in a line of the child's output; the rest of the output is thrown away. */
async function firstOf(child, name, pick) {
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} exited with ${code} before it was ready`)
  })
  // Once the child is ready, its exit is no failure of ours.
  exited.catch(() => {})
  const found = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const value = pick(line)
      if (value !== undefined) resolve(value)
    })
  })
  return Promise.race([found, exited])
}

function startFixture(program) {
  const child = start(process.execPath, [here(program)])
  return firstOf(child, 'the fixture', (line) => /^listening (\S+)$/.exec(line)?.[1])
}

/** Gives the URL of a gateway with these targets. */
async function startGateway(targets) {
  const file = join(folder, 'junction.json')
  await writeFile(file, JSON.stringify({ listen: { port: 0 }, admin: false, targets }))
  const cli = here('../../dist/src/cli.js')
  const child = start(process.execPath, [cli, 'serve', '--config', file])
  const url = await firstOf(child, 'the gateway', (line) => {
    const { msg, url: listening } = JSON.parse(line)
    return msg === 'listening' ? listening : undefined
  })
  const until = Date.now() + READY_MS
  while ((await fetch(new URL('/readyz', url))).status !== 200) {
    if (Date.now() > until) throw new Error('the gateway does not become ready')
    await sleep(50)
  }
  return url
}
