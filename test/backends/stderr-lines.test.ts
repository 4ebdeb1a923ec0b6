import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { readLines } from '../../backends/stderr-lines.js'

async function linesOf(...chunks: (string | Buffer)[]): Promise<string[]> {
  const stderr = new PassThrough()
  const lines: string[] = []
  readLines(stderr, (line) => lines.push(line))
  for (const chunk of chunks) stderr.write(chunk)
  stderr.end()
  await once(stderr, 'end')
  return lines
}

it.each([
  [['one\ntwo\n'], ['one', 'two']],
  [
    ['on', 'e\r', '\nt', 'wo'],
    ['one', 'two'],
  ],
  [['\n\n', 'a\n\n'], ['a']],
  [[Buffer.from('é\n').subarray(0, 1), Buffer.from('é\n').subarray(1)], ['é']],
])('lines are told once they end: %j', async (chunks, lines) => {
  expect(await linesOf(...chunks)).toEqual(lines)
})

it('a line without an end is cut, and costs no memory', async () => {
  const chunk = 'x'.repeat(1024 * 1024)
  const before = process.memoryUsage().rss
  const lines = await linesOf(...Array<string>(64).fill(chunk), '\nafter')
  expect(lines.map((it) => it.length)).toEqual([2_000, 5])
  expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024)
})
