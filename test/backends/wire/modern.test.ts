import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../backends/index.js'
import {
  decodeHeader,
  encodeHeader,
  paramHeadersOf,
  paramHeaderValues,
  valueAt,
} from '../../../backends/wire/modern.js'

describe('values in headers', () => {
  it('come back as they were, whatever they are, and are safe on the way [R7]', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const header = encodeHeader(value)
        expect(header).toMatch(/^[\x20-\x7e\t]*$/)
        expect(decodeHeader(` ${header}\t`)).toBe(value)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['', ''],
  ])('are written as the specification writes them: %j', (value, header) => {
    expect(encodeHeader(value)).toBe(header)
  })

  it.each(['=?base64?YQ?=', '=?base64?Y!Q=?=', '=?base64?/w==?=', 'caf\u00e9', 'a\nb'])(
    'that are no encoding stand for nothing: %j',
    (header) => {
      expect(decodeHeader(header)).toBeUndefined()
    },
  )

  it.each(['=?Base64?YQ==?=', '=?base64?YQ==', 'base64?YQ==?='])(
    'that only look like one stand for themselves: %j',
    (header) => {
      expect(decodeHeader(header)).toBe(header)
    },
  )
})

describe('arguments that a tool wants in headers', () => {
  const schema: JsonObject = {
    type: 'object',
    properties: {
      Region: { type: 'string', 'x-mcp-header': 'Region' },
      deep: {
        type: 'object',
        properties: { on: { type: 'boolean', 'x-mcp-header': 'On' } },
      },
      other: { type: 'string', default: { 'x-mcp-header': 'no annotation' } },
    },
  }

  it('are found wherever properties alone lead to them', () => {
    expect(paramHeadersOf(schema)).toEqual([
      { header: 'mcp-param-region', path: ['Region'] },
      { header: 'mcp-param-on', path: ['deep', 'on'] },
    ])
  })

  it('are sent where they are given, and not where they are null or of another kind', () => {
    const headers = paramHeadersOf(schema)
    expect(paramHeaderValues(headers, { Region: 'ü', deep: { on: false } })).toEqual({
      'mcp-param-region': '=?base64?w7w=?=',
      'mcp-param-on': 'false',
    })
    for (const given of [undefined, {}, { Region: null }, { Region: {} }, [], 'x', { deep: [] }]) {
      expect(paramHeaderValues(headers, given)).toEqual({})
    }
  })

  it('are never found on the prototype of what is given', () => {
    expect(valueAt({}, ['constructor', 'name'])).toBeUndefined()
    expect(valueAt(JSON.parse('{"__proto__":{"a":"x"}}') as JsonObject, ['a'])).toBeUndefined()
  })
})
