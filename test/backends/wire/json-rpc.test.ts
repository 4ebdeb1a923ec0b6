import { describe, expect, it } from 'vitest'
import {
  errorText,
  InvalidMessageError,
  JsonRpcError,
  RawJson,
  readMessage,
  readMessages,
  requestText,
  resultText,
} from '../../../backends/index.js'

describe('JSON-RPC messages', () => {
  it('tells the four kinds apart', () => {
    expect(readMessage('{"jsonrpc":"2.0","id":1,"method":"ping"}').kind).toBe('request')
    expect(readMessage('{"jsonrpc":"2.0","method":"notifications/initialized"}').kind).toBe(
      'notification',
    )
    expect(readMessage('{"result":{},"jsonrpc":"2.0","id":"a"}').kind).toBe('result')
    expect(readMessage('{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}').kind).toBe(
      'error',
    )
  })

  it('accepts members nobody knows', () => {
    const message = readMessage('{"jsonrpc":"2.0","id":1,"result":{"a":1.0},"x":{"y":[1]}}')
    expect(message.kind === 'result' && message.result.text).toBe('{"a":1.0}')
  })

  it('accepts an error without an id, as servers send for what they could not read', () => {
    const message = readMessage('{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}')
    expect(message).toMatchObject({ kind: 'error', id: undefined })
  })

  it.each([
    ['[]', -32600],
    ['1', -32600],
    ['{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":1}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":7}', -32600],
    ['{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}', -32600],
    ['{"jsonrpc":"2.0",', -32700],
    ['<html>', -32700],
    ['', -32700],
  ])('refuses %s with %i', (text, code) => {
    expect(() => readMessage(text)).toThrow(
      expect.objectContaining({ rpcCode: code }) as InvalidMessageError,
    )
  })

  it('keeps the id of a request it refuses, so that the answer can echo it [R40]', () => {
    expect(() => readMessage('{"jsonrpc":"2.0","id":"q","method":7}')).toThrow(
      expect.objectContaining({ id: 'q' }) as InvalidMessageError,
    )
  })

  it('reads a batch and keeps the place of what is no message in it', () => {
    const batch = readMessages('[{"jsonrpc":"2.0","id":1,"method":"ping"},7]')
    expect(batch).toHaveLength(2)
    expect(Array.isArray(batch) && batch[1]).toBeInstanceOf(InvalidMessageError)
  })

  it('echoes ids in value and type [R40]', () => {
    expect(resultText(1, RawJson.fromText('{}'))).toBe('{"jsonrpc":"2.0","id":1,"result":{}}')
    expect(resultText('1', RawJson.fromText('{}'))).toBe('{"jsonrpc":"2.0","id":"1","result":{}}')
    expect(errorText(undefined, new JsonRpcError(-32700, 'a "b"'))).toBe(
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"a \\"b\\""}}',
    )
  })

  it('writes params as they are', () => {
    expect(requestText(1, 'tools/call', RawJson.fromText('{ "n": 1.0 }'))).toBe(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{ "n": 1.0 }}',
    )
  })
})
