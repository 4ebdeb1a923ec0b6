import { describe, expect, it } from 'vitest'
import { Echoes } from '../../backends/echoes.js'

/** Words as `stream:key`, in the order they come; `-stream` ends one. Returns what is told, as it came. */
function told(...words: string[]): string {
  const heard: string[] = []
  const echoes = new Echoes<string, string>((message) => heard.push(message))
  for (const word of words) {
    const [stream = '', key] = word.replace('-', '').split(':')
    if (key === undefined) echoes.end(stream)
    else echoes.hear(stream, key, word)
  }
  return heard.join(' ')
}

describe('what is said on two streams at once', () => {
  it('is told once, as the first of them said it', () => {
    expect(told('new:a', 'old:a', '-old')).toBe('new:a')
  })

  it('is told each time that the stream says it which said it first', () => {
    expect(told('new:a', 'old:a', 'new:a', 'old:a', '-old', 'new:a')).toBe('new:a new:a new:a')
  })

  it('is told in the end, where the stream that was waited for ends without it', () => {
    // It may have been two things: one before the new stream was there, and one after the old one had gone.
    expect(told('old:a', 'new:a', '-old')).toBe('old:a new:a')
    expect(told('old:a', 'new:a', 'old:a', '-old')).toBe('old:a old:a')
  })

  it('is told for each thing by itself', () => {
    expect(told('old:a', 'new:b', 'new:a', 'old:b', '-old', 'new:b')).toBe(
      'old:a new:b new:a new:b',
    )
  })
})
