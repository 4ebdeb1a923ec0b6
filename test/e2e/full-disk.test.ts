/** What is written where nothing fits any more, or where nobody reads: the lock file, and the log. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { folderOf } from '../support/config.js'
import { freePort } from '../support/free-port.js'
import type { GatewayConfig } from '../support/gateway.js'
import { CLI } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const run = promisify(execFile)
/** A shell with mounts of its own, which end with it. */
const APART = ['-rm', 'sh', '-c'] as const
/** Makes the first argument a small disk with the files of the second, and fills it to the last byte. */
const FILL =
  'mount -t tmpfs -o size=64k tmpfs "$1" && cp "$2"/* "$1" && ! cat /dev/zero > "$1/filler" 2> /dev/null'

const mayMount = (() => {
  try {
    execFileSync('unshare', [...APART, 'mount -t tmpfs tmpfs /mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
const onFullDisk = `on a full disk${mayMount ? '' : ' (skipped: no right to mount one)'}`

const OLD = `${JSON.stringify({ version: 1, targets: { a: { old: 'sha256-x' } } })}\n`

// oxlint-disable-next-line vitest/valid-title -- says why it is skipped
describe.skipIf(!mayMount)(onFullDisk, () => {
  it('the lock file stays as it was, nothing lies beside it, and the command says so', async () => {
    await using upstream = await startEcho()
    const config = { targets: [{ name: 'a', mcp: { url: upstream.url }, guard: 'block' }] }
    await using files = await folderOf({
      'junction.json': JSON.stringify(config),
      'junction.lock.json': OLD,
    })
    await using disk = await folderOf({})
    const script = `${FILL} && "$3" "$4" lock --config "$1/junction.json"; echo "code $?"; ls "$1"; cat "$1/junction.lock.json"`
    const given = [disk.path, files.path, process.execPath, CLI]
    const { stdout, stderr } = await run('unshare', [...APART, script, 'sh', ...given])
    expect(stderr).toMatch(
      /^.*junction\.lock\.json cannot be written, and is as it was: no space left on the disk\n$/,
    )
    expect(stdout).toMatch(/code 1\nfiller\njunction\.json\njunction\.lock\.json\n/)
    expect(stdout.endsWith(OLD)).toBe(true)
  })

  it('the gateway goes on without its log, and the log goes on once there is room', async () => {
    await using upstream = await startEcho()
    const port = await freePort()
    await using files = await folderOf({ 'junction.json': configText(upstream.url, port) })
    await using disk = await folderOf({})
    const script = `${FILL} && exec "$3" "$4" serve --config "$1/junction.json" >> "$1/log"`
    const given = [disk.path, files.path, process.execPath, CLI]
    const child = spawn('unshare', [...APART, script, 'sh', ...given], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    await using it = serving(child, port)
    await it.ready()
    await it.calls()
    const inside = join(`/proc/${child.pid}/root`, disk.path)
    rmSync(join(inside, 'filler'))
    await waitUntil(async () => {
      await it.calls()
      return readFileSync(join(inside, 'log'), 'utf8').includes('"method":"tools/call"')
    }, 'the log to be written')
    // What had found no room is there as well.
    expect(readFileSync(join(inside, 'log'), 'utf8')).toContain('"msg":"listening"')
    expect(await it.stop()).toEqual([0, ONE_LINE])
  })
})

const ONE_LINE = expect.stringMatching(/^the log cannot be written: E(NOSPC|PIPE).*\n$/) as string

const configText = (url: string, port: number, more: Partial<GatewayConfig> = {}): string =>
  JSON.stringify({
    listen: { port },
    admin: false,
    targets: [{ name: 'a', mcp: { url } }],
    ...more,
  })

/** A gateway that can say nothing of itself. */
function serving(child: ChildProcess, port: number) {
  const errors = text(child.stderr as Readable)
  const url = `http://127.0.0.1:${port}`
  const isReady = () =>
    fetch(`${url}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    )
  return {
    ready: () => waitUntil(isReady, 'the gateway to be ready'),
    calls: async (): Promise<void> => {
      const session = await openSession(`${url}/mcp`)
      expect((await session.call('a__echo')).json).toMatchObject({ result: {} })
    },
    stop: async (): Promise<[number | null, string]> => {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      const [code] = (await exited) as [number | null]
      return [code, await errors]
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
  }
}

describe.each([1, 2])('a gateway with workers: %i', (workers) => {
  it.each(['/dev/full', 'a pipe that nobody reads any more'])(
    'serves on, and ends as it should, with its log in %s',
    async (log) => {
      await using upstream = await startEcho()
      const port = await freePort()
      await using files = await folderOf({
        'junction.json': configText(upstream.url, port, { workers }),
      })
      const stdout = log === '/dev/full' ? openSync(log, 'w') : 'pipe'
      const args = [CLI, 'serve', '--config', join(files.path, 'junction.json')]
      const child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] })
      child.stdout?.destroy()
      await using it = serving(child, port)
      await it.ready()
      for (let calls = 0; calls < 5; calls++) await it.calls()
      expect(await it.stop()).toEqual([0, ONE_LINE])
    },
  )
})

it('a command whose output finds no room says so, and fails', async () => {
  const stdout = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [CLI, 'schema'], { stdio: ['ignore', stdout, 'pipe'] })
  const exited = once(child, 'exit')
  expect(await text(child.stderr as Readable)).toMatch(/^ENOSPC: /)
  expect(await exited).toEqual([1, null])
})
