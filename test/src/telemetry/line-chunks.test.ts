import { describe, expect, it } from 'vitest'
import { LineChunks } from '../../../src/telemetry/line-chunks.js'

function collected() {
  const chunks: Buffer[] = []
  return {
    chunks,
    lines: new LineChunks((bytes) => void chunks.push(bytes)),
    text: () => Buffer.concat(chunks).toString(),
  }
}

describe('lines that are written together', () => {
  it('arrive whole and in order, whatever is in them and however long they are', () => {
    const { lines, text } = collected()
    const wanted: string[] = []
    for (const length of [1, 10_000, 30_000, 3, 200_000, 2, 40_000]) {
      for (const letter of ['a', 'é', '語', '😀']) {
        wanted.push(`${letter.repeat(length)}\n`)
        lines.add(wanted.at(-1) ?? '')
      }
    }
    lines.flush()
    expect(text()).toBe(wanted.join(''))
  })

  it('are few chunks where lines are many', () => {
    const { lines, chunks } = collected()
    for (let count = 0; count < 1_000; count++) lines.add(`${'x'.repeat(299)}\n`)
    expect(chunks.length).toBeLessThan(6)
  })

  it('stay as they were written, whatever comes after', () => {
    const { lines, text } = collected()
    lines.add('first\n')
    lines.flush()
    lines.add('second\n')
    expect(text()).toBe('first\n')
    lines.flush()
    lines.flush()
    expect(text()).toBe('first\nsecond\n')
  })

  it('need no new memory once what was before is written, and are nobody else’s until then', () => {
    const { lines, chunks } = collected()
    const fill = (letter: string): void => {
      for (let count = 0; count < 1_000; count++) lines.add(`${letter.repeat(299)}\n`)
      lines.flush()
    }
    fill('a')
    fill('b')
    const [first] = chunks
    expect(new Set(first?.toString())).toEqual(new Set(['a', '\n']))
    const before = new Set(chunks.map((it) => it.buffer))
    lines.written()
    chunks.length = 0
    fill('c')
    expect(chunks.every((it) => before.has(it.buffer))).toBe(true)
    expect(chunks.map(String).join('')).toBe(`${'c'.repeat(299)}\n`.repeat(1_000))
  })

  it('do not pile up where nothing is written', () => {
    const { lines, chunks } = collected()
    for (let count = 0; count < 10_000; count++) lines.add(`${'x'.repeat(299)}\n`)
    lines.written()
    const all = new Set(chunks.map((it) => it.buffer))
    chunks.length = 0
    for (let count = 0; count < 10_000; count++) lines.add(`${'x'.repeat(299)}\n`)
    const again = new Set(chunks.filter((it) => all.has(it.buffer)).map((it) => it.buffer))
    expect(again.size).toBeLessThan(6)
  })
})
