import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue, RawObject } from '../../../backends/index.js'
import {
  MalformedJsonError,
  RawJson,
  rawElements,
  rawMembers,
  requireDistinctKeys,
  withMembers,
  withMeta,
} from '../../../backends/index.js'

const raw = (text: string): RawObject => RawJson.fromText(text)
const json = fc.jsonValue().map((value) => value as JsonValue)
const jsonObject = fc.dictionary(fc.string(), json).map((value) => value as JsonObject)
/** The same value written by somebody with other habits. */
const spaced = (value: JsonValue): string => JSON.stringify(value, undefined, 3)

describe('raw JSON', () => {
  it('finds exactly the members that JSON.parse finds', () => {
    fc.assert(
      fc.property(jsonObject, (object) => {
        for (const text of [JSON.stringify(object), spaced(object)]) {
          const members = [...rawMembers(text)].map(([key, member]) => [key, JSON.parse(member)])
          expect(members).toEqual(Object.entries(JSON.parse(text) as object))
        }
      }),
    )
  })

  it('finds exactly the elements that JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.array(json), (array) => {
        for (const text of [JSON.stringify(array), spaced(array)]) {
          expect(rawElements(text).map((it) => JSON.parse(it) as unknown)).toEqual(JSON.parse(text))
        }
      }),
    )
  })

  it('changes the members it is told to and keeps the text of the others [R87]', () => {
    const before = raw(
      '{ "big": 12345678901234567890, "one": 1.0, "name": "a", "odd": "\\u00e9\\/" }',
    )
    const after = withMembers(before, { name: '"b"', added: 'true' })
    expect(after.text).toBe(
      '{"big": 12345678901234567890, "one": 1.0, "name": "b", "odd": "\\u00e9\\/","added":true}',
    )
  })

  it('changes members as a model of plain objects does, in its text as in its value', () => {
    const change = fc.option(
      json.map((value) => JSON.stringify(value)),
      { nil: undefined },
    )
    const key = fc.oneof(fc.constantFrom('a', 'b', '__proto__'), fc.string())
    const objects = fc.dictionary(key, json, { noNullPrototype: true })
    fc.assert(
      fc.property(objects, fc.array(fc.dictionary(key, change)), fc.boolean(), (...drawn) => {
        const [made, allChanges, isKnown] = drawn
        // JSON has one zero.
        const object = JSON.parse(JSON.stringify(made)) as JsonObject
        const expected = new Map(Object.entries(object))
        for (const [name, text] of allChanges.flatMap((changes) => Object.entries(changes))) {
          if (text === undefined) expected.delete(name)
          else expected.set(name, JSON.parse(text) as JsonValue)
        }
        for (const text of [JSON.stringify(object), spaced(object)]) {
          const value = isKnown ? (JSON.parse(text) as JsonObject) : undefined
          const after = allChanges.reduce(withMembers, RawJson.fromText(text, value))
          const entries = Object.entries(JSON.parse(after.text) as JsonObject)
          expect(new Map(entries)).toEqual(expected)
          expect(new Map(Object.entries(after.value))).toEqual(expected)
        }
      }),
    )
  })

  it('gives back the object itself where nothing changes', () => {
    const before = raw('{ "name" : "a" }')
    expect(withMembers(before, { name: '"a"', absent: undefined })).toBe(before)
  })

  it('refuses an object that says the same key twice, however it is spelt', () => {
    expect(() => rawMembers('{"name":1,"name":2}')).toThrow(MalformedJsonError)
    expect(() => rawMembers('{"name":1,"na\\u006de":2}')).toThrow(MalformedJsonError)
  })

  it.each([
    '{"a":{"b":[1,{"c":1,"d":[],"c":2}]}}',
    '{"a":1,"b":{},"\\u0061":2}',
    '[{"a":[{"a":1}],"a":1}]',
    '{"":1,"":1}',
    '{"a" : 1 , "a" : 2}',
  ])('finds the key that stands twice in %s', (text) => {
    expect(() => requireDistinctKeys(text)).toThrow(/stands twice/)
  })

  it('finds none twice in what JSON.stringify makes', () => {
    const check = (text: string): void => {
      expect(() => requireDistinctKeys(text)).not.toThrow()
    }
    fc.assert(fc.property(fc.json(), check))
    check('{"a":"a","b":["a","a"],"c":{"a":1,"b":"\\"a\\":"},"d":{"a":1}}')
  })

  it('refuses nesting that no honest message needs', () => {
    const deep = `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`
    expect(() => rawMembers(deep)).toThrow(/deeper/)
    expect(() => rawMembers(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`)).not.toThrow()
  })

  it('ends strings at the right quote', () => {
    const text = '{"a":"\\\\","b":"\\"}","c":"]["}'
    expect([...rawMembers(text)]).toEqual([
      ['a', '"\\\\"'],
      ['b', '"\\"}"'],
      ['c', '"]["'],
    ])
  })

  it('never runs past the end of broken text', () => {
    fc.assert(
      fc.property(jsonObject, fc.nat(), (object, cut) => {
        const text = JSON.stringify(object)
        const broken = text.slice(0, cut % text.length)
        expect(() => rawMembers(broken)).toThrow(MalformedJsonError)
      }),
    )
  })

  it('takes hop-scoped members out of _meta and leaves the rest as it was [R89]', () => {
    const params = raw('{"name":"x","_meta":{"progressToken":7,"traceparent":"00-1","n":1.0}}')
    expect(withMeta(params, { progressToken: undefined }).text).toBe(
      '{"name":"x","_meta":{"traceparent":"00-1","n":1.0}}',
    )
    const only = raw('{"name":"x","_meta":{"progressToken":7}}')
    expect(withMeta(only, { progressToken: undefined }).text).toBe('{"name":"x"}')
    expect(withMeta(raw('{}'), { progressToken: '1' }).text).toBe('{"_meta":{"progressToken":1}}')
  })

  it('leaves __proto__ a key like any other', () => {
    const members = rawMembers('{"__proto__":{"polluted":true},"a":1}')
    expect([...members.keys()]).toEqual(['__proto__', 'a'])
    expect(({} as JsonObject)['polluted']).toBeUndefined()
  })
})
