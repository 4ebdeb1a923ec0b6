import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue, MessageText } from '../../../backends/index.js'
import {
  byteLengthOf,
  resultMessage,
  resultText,
  withMembers,
  withMeta,
  wholeText,
} from '../../../backends/index.js'
import type { ResultMessage } from '../../../backends/wire/json-rpc.js'
import { InvalidMessageError, readMessage } from '../../../backends/wire/json-rpc.js'
import { readLargeResult } from '../../../backends/wire/large-result.js'

const LONG = 5_000

const bytesOf = (value: unknown, indent?: number): Buffer =>
  Buffer.from(JSON.stringify(value, undefined, indent))

/** As it goes to a client, under the id 1. */
const sent = ({ result }: ResultMessage): MessageText => resultMessage(1, result)

/** In chunks of so many bytes. */
const chunked = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )

const resultIn = (bytes: Buffer, size = bytes.length): ResultMessage | undefined => {
  const message = readLargeResult(chunked(bytes, size))
  if (message !== undefined && message.kind !== 'result') throw new Error('not a result')
  return message
}

const withText = (text: string): object => ({ content: [{ type: 'text', text }] })
const response = (result: object): object => ({ jsonrpc: '2.0', id: 7, result })

describe('large results', () => {
  it('are passed on byte for byte, whatever stands in them and around them', () => {
    // Quotes, backslashes and letters of several bytes wherever looking for the end of a text may stumble.
    const odd = fc.string({ unit: fc.constantFrom('"', '\\', 'é', '𝄞', 'x', '\n', '}', '{', ':') })
    const long = fc.tuple(odd, odd, odd).map(([a, b, c]) => a + b.padEnd(LONG, 'y') + c)
    const block = fc.oneof(
      long.map((text) => ({ type: 'text', text })),
      long.map((data) => ({ data, mimeType: 'image/png', type: 'image' })),
      long.map((blob) => ({ type: 'resource', resource: { uri: 'file:///a', blob } })),
    )
    const more = fc
      .dictionary(odd, fc.jsonValue())
      .map((value) => value as Record<string, JsonValue>)
    fc.assert(
      fc.property(
        fc.array(block, { minLength: 1 }),
        more,
        fc.boolean(),
        fc.integer({ min: 1, max: 2 * LONG }),
        (content, extra, isLast, size) => {
          const result = { ...extra, content, isError: true }
          const message = isLast
            ? response(result)
            : { result, more: { result: {} }, id: 7, jsonrpc: '2.0' }
          for (const bytes of [bytesOf(message), bytesOf(message, 2)]) {
            const read = resultIn(bytes, size)
            const plain = readMessage(bytes.toString()) as ResultMessage
            expect(read?.id).toBe(7)
            expect(read?.result.value['isError']).toBe(true)
            expect(read && wholeText(sent(read))).toBe(sent(plain))
            expect(read && byteLengthOf(sent(read))).toBe(byteLengthOf(sent(plain)))
            expect(read?.result.text).toBe(plain.result.text)
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  it('are changed around their long texts as any others are', () => {
    const long = 'é"'.repeat(LONG)
    const key = fc.constantFrom('content', '_meta', 'isError', 'a', 'text', '…', '__proto__')
    const value = fc.oneof(
      fc.constantFrom<JsonValue>('…', long, 1, { text: long }, [{ blob: long }], { b: '…', a: 1 }),
      fc.jsonValue().map((it) => it as JsonValue),
    )
    const edits = fc.array(
      fc.record({
        isMeta: fc.boolean(),
        changes: fc.dictionary(
          key,
          fc.option(
            value.map((it) => JSON.stringify(it)),
            { nil: undefined },
          ),
          { maxKeys: 3 },
        ),
      }),
      { maxLength: 4 },
    )
    const members = fc.array(fc.tuple(key, value)).map((pairs) => {
      const distinct = new Map<string, JsonValue>([...pairs, ['last', { data: long }]])
      const texts = [...distinct].map(
        ([name, it]) => `${JSON.stringify(name)}: ${JSON.stringify(it)}`,
      )
      return `{${texts.join(', ')}}`
    })
    fc.assert(
      fc.property(members, edits, fc.integer({ min: 1_000, max: 50_000 }), (text, all, size) => {
        const bytes = Buffer.from(`{"jsonrpc":"2.0","id":7,"result":${text}}`)
        let large = resultIn(bytes, size)?.result
        let plain = (readMessage(bytes.toString()) as ResultMessage).result
        expect(large).toBeDefined()
        for (const { isMeta, changes } of all) {
          const change = isMeta ? withMeta : withMembers
          large = large && change(large, changes)
          plain = change(plain, changes)
          // Not `toBe`: what it would print is long.
          expect(large && wholeText(resultMessage(1, large)) === resultText(1, plain)).toBe(true)
          expect(Object.keys(large?.value ?? {})).toEqual(Object.keys(plain.value))
        }
        expect(large?.text === plain.text).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('are passed on as the bytes that came, whatever is changed around them', () => {
    const long = 'x'.repeat(1_000_000)
    const bytes = bytesOf(response({ ...withText(long), resultType: 'complete', _meta: { a: 1 } }))
    const result = resultIn(bytes, 60_000)?.result
    const changed = result && withMeta(withMembers(result, { resultType: undefined }), { a: '2' })
    const { wire = '' } = changed ?? {}
    const pieces = typeof wire === 'string' ? [] : wire
    const passedOn = pieces.filter((it) => it.buffer === bytes.buffer)
    expect(passedOn.length).toBeGreaterThan(10)
    expect(byteLengthOf(passedOn)).toBe(long.length)
    expect(changed?.value).toEqual({ content: [{ type: 'text', text: '…' }], _meta: { a: 2 } })
  })

  it('have a value without their long texts, and all else', () => {
    const result = {
      content: [
        { type: 'text', text: 'x'.repeat(LONG) },
        { type: 'resource_link', uri: 'ui://a', name: 'a' },
      ],
      structuredContent: { text: 'short' },
    }
    const value = resultIn(bytesOf(response(result)))?.result.value
    expect(value).toEqual({
      content: [{ type: 'text', text: '…' }, result.content[1]],
      structuredContent: { text: 'short' },
    })
  })

  it.each([
    ['no long text in it', response({ content: [{ type: 'text', text: 'short' }] })],
    ['long texts elsewhere', response({ structuredContent: { page: 'x'.repeat(LONG) } })],
    [
      'much that is no text',
      response({ ...withText('x'.repeat(LONG)), list: Array(100_000).fill(1) }),
    ],
    [
      'an error',
      { jsonrpc: '2.0', id: 7, error: { code: 1, message: '', data: 'x'.repeat(LONG) } },
    ],
    ['a request', { jsonrpc: '2.0', id: 7, method: 'a', params: withText('x'.repeat(LONG)) }],
  ])('are read as usual with %s', (_, message) => {
    expect(readLargeResult([bytesOf(message)])).toBeUndefined()
  })

  it.each(['{"result":{"text":"', '{"result":{"content":[{"text":"\\'])(
    'are read as usual where a text does not end: %s…',
    (beginning) => {
      expect(readLargeResult([Buffer.from(beginning + 'x'.repeat(LONG))])).toBeUndefined()
      expect(readLargeResult([Buffer.from(`${beginning}${'x'.repeat(LONG)}\\"`)])).toBeUndefined()
    },
  )

  it('are refused where they are no message', () => {
    const text = JSON.stringify('x'.repeat(LONG))
    for (const broken of [
      `{"jsonrpc":"2.0","id":7,"result":{"text":${text},}}`,
      `{"jsonrpc":"2.0","id":7,"result":{"text":${text}} trailing`,
      `{"jsonrpc":"2.0","id":7,"result":{"text":${text}},"id":8}`,
      `{"jsonrpc":"1.0","id":7,"result":{"text":${text}}}`,
    ]) {
      expect(() => readLargeResult([Buffer.from(broken)])).toThrow(InvalidMessageError)
    }
  })
})
