import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { targetSchema } from '../../backends/index.js'

const parse = (more: JsonObject) =>
  targetSchema.safeParse({ name: 'a', mcp: { url: 'http://h/mcp' }, ...more })

describe('what a server is shown', () => {
  it.each([
    [{}, {}],
    [{ headers: { set: { 'X-Team': 'tools' } } }, { 'x-team': 'tools' }],
    [{ auth: { bearer: 't0k' } }, { authorization: 'Bearer t0k' }],
    [{ auth: { header: { name: 'X-Api-Key', value: 'k' } } }, { 'x-api-key': 'k' }],
    [
      { headers: { set: { 'x-a': '1' } }, auth: { bearer: 't' } },
      { 'x-a': '1', authorization: 'Bearer t' },
    ],
  ])('%j are the headers %j', (written, headers) => {
    expect(parse(written).data?.headers).toEqual(headers)
  })

  it.each([
    [{ headers: { set: { Host: 'x' } } }, /belongs to the connection/],
    [{ headers: { set: { 'Mcp-Session-Id': 'x' } } }, /belongs to the connection/],
    [{ headers: { set: { 'content-length': '1' } } }, /belongs to the connection/],
    [{ headers: { forward: ['Authorization'] } }, /credentials stay with/],
    [{ headers: { forward: ['X-Api-Key'] } }, /credentials stay with/],
    [{ headers: { forward: ['Mcp-Name'] } }, /belongs to the connection/],
    [{ headers: { set: { Cookie: 'a=b' } } }, /belongs to the connection/],
    [{ headers: { set: { 'a b': 'x' } } }, /name of a header/],
    [{ headers: { set: { a: 'x\r\ny: z' } } }, /on one line/],
    [{ headers: { set: { a: 'x\u0000' } } }, /on one line/],
    [{ auth: { bearer: 'a\nb' } }, /on one line/],
    [{ auth: { bearer: '' } }, /./],
    [{ auth: {} }, /exactly one of/],
    [{ auth: { bearer: 'a', header: { name: 'b', value: 'c' } } }, /exactly one/],
    [{ auth: { bearer: 'a' }, headers: { set: { Authorization: 'b' } } }, /has this header, too/],
    [{ mcp: undefined, stdio: { command: 'x' }, auth: { bearer: 'a' } }, /stdio.env/],
  ])('cannot be %j', (written, message) => {
    const issues = parse(written as JsonObject).error?.issues ?? []
    expect(JSON.stringify(issues)).toMatch(message)
  })
})
