import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { targetSchema } from '../../backends/index.js'

const GRANT = { clientId: 'c', clientSecret: 's', tokenUrl: 'https://login.example.com/token' }

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
    [{ auth: { bearer: 'b', clientCredentials: GRANT } }, /exactly one of/],
    [{ auth: { passthrough: true, tokenExchange: GRANT } }, /one of "tokenExchange" and/],
    [{ auth: { passthrough: false } }, /exactly one of/],
    [{ auth: { clientCredentials: { ...GRANT, issuer: 'http://a' } } }, /"tokenUrl" and "issuer"/],
    [{ auth: { clientCredentials: { ...GRANT, clientSecret: undefined } } }, /and "privateKey"/],
    [{ auth: { clientCredentials: { ...GRANT, tokenUrl: 'ftp://a/t' } } }, /expected a URL/],
    [{ auth: { clientCredentials: { ...GRANT, scopes: ['a b'] } } }, /one scope, without spaces/],
    [{ auth: { clientCredentials: { ...GRANT, keyId: 'k' } } }, /only a "privateKey"/],
    [
      { auth: { tokenExchange: { ...GRANT, clientSecret: undefined, privateKey: 'x' } } },
      /expected a private key in PEM/,
    ],
    [
      { auth: { passthrough: true }, headers: { set: { authorization: 'b' } } },
      /has this header, too/,
    ],
    [{ auth: { bearer: 'a' }, headers: { set: { Authorization: 'b' } } }, /has this header, too/],
    [{ mcp: undefined, stdio: { command: 'x' }, auth: { bearer: 'a' } }, /stdio.env/],
    [{ mcp: undefined, stdio: { command: 'x' }, auth: { tokenExchange: GRANT } }, /stdio.env/],
  ])('cannot be %j', (written, message) => {
    const issues = parse(written as JsonObject).error?.issues ?? []
    expect(JSON.stringify(issues).replaceAll('\\"', '"')).toMatch(message)
  })
})
