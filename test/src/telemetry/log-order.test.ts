import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, describe } from 'vitest'

const LOGGING = fileURLToPath(new URL('../../../dist/src/telemetry/logging.js', import.meta.url))

/** Ends while a line of the access log is still to come, as after a fatal error. Its log is the file that it is told of. */
const PROGRAM = `
  const { readFileSync } = await import('node:fs')
  const { createLog } = await import(${JSON.stringify(LOGGING)})
  const log = createLog('info')
  let waiting = []
  log.beforeOtherLines(() => {
    const lines = waiting
    waiting = []
    for (const line of lines) log.writeAccess(line + '\\n')
  })
  waiting.push('{"msg":"first"}')
  log.logger.info('second')
  // What is being written as a process ends is written beside what it writes last.
  while (!readFileSync(process.argv[1], 'utf8').includes('second')) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  log.writeAccess('{"msg":"third"}\\n')
  waiting.push('{"msg":"fourth"}')
  process.exit(3)
`

describe('lines of the access log that are still to come', () => {
  it('are before any other line, and are not lost at the end', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'junction-'))
    const path = join(folder, 'log')
    const file = await open(path, 'w')
    const args = ['--input-type=module', '--eval', PROGRAM, path]
    const child = spawn(process.execPath, args, { stdio: ['ignore', file.fd, 'inherit'] })
    expect(await once(child, 'exit')).toEqual([3, null])
    await file.close()
    const messages = [...(await readFile(path, 'utf8')).matchAll(/"msg":"(\w+)"/g)]
    expect(messages.map(([, message]) => message)).toEqual(['first', 'second', 'third', 'fourth'])
    await rm(folder, { recursive: true })
  })
})
