import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SseEvent } from '../../../backends/index.js'
import { wholeText, SSE_KEEP_ALIVE, sseMessage, SseReader } from '../../../backends/index.js'

function read(chunks: readonly Buffer[], limit = 1_000_000): SseEvent[] {
  const events: SseEvent[] = []
  const reader = new SseReader((event) => events.push(event), limit)
  for (const chunk of chunks) reader.push(chunk)
  return events
}

/** The bytes, cut at each of these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((it) => it % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length))
}

describe('server-sent events', () => {
  it('gives one large line of data in the chunks that it came in, wherever these end', () => {
    const large = `é${'x'.repeat(100_000)}𝄞`
    const bytes = Buffer.from(`id: 7\ndata: ${large}\n\ndata:${large}\ndata: y\n\ndata: z\n\n`)
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (places) => {
        const events = read(cut(bytes, places))
        expect(events.map((it) => wholeText(it.data))).toEqual([large, `${large}\ny`, 'z'])
      }),
      { numRuns: 50 },
    )
    expect(read([bytes])[0]?.data).toHaveLength(1)
  })

  it('reads what it writes, wherever the chunks end', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 })
    fc.assert(
      fc.property(texts, fc.array(fc.nat()), (payloads, places) => {
        const messages = payloads.map((it) => JSON.stringify({ it }))
        const bytes = Buffer.from(messages.map(sseMessage).join(SSE_KEEP_ALIVE))
        expect(read(cut(bytes, places)).map((it) => it.data)).toEqual(messages)
      }),
    )
  })

  it('takes every kind of line end, a mark of byte order, and comments', () => {
    const bytes = Buffer.from('\uFEFFdata: a\r\n\r\n: note\ndata:b\n\ndata: c\rdata: d\r\r')
    for (let place = 0; place <= bytes.length; place++) {
      expect(read(cut(bytes, [place])).map((it) => it.data)).toEqual(['a', 'b', 'c\nd'])
    }
  })

  it('gives ids and event names', () => {
    const [event] = read([Buffer.from('id: 7\nevent: endpoint\ndata: /x\n\n')])
    expect(event).toEqual({ id: '7', event: 'endpoint', data: '/x' })
  })

  it('gives nothing for an event that is cut off', () => {
    expect(read([Buffer.from('data: {"half":')])).toEqual([])
  })

  it.each(['data: ' + 'x'.repeat(2_000), 'data: x\n'.repeat(2_000), 'x'.repeat(2_000)])(
    'refuses an event without end',
    (text) => {
      expect(() => read([Buffer.from(text)], 1_000)).toThrow(/exceeds/)
    },
  )

  it('writes JSON with line ends as one line', () => {
    const [event] = read([Buffer.from(sseMessage('{\n  "a": 1\r\n}'))])
    expect(JSON.parse(wholeText(event?.data ?? ''))).toEqual({ a: 1 })
  })
})
