/** What is taken out of the words of servers before they are logged. */
import { describe, expect, it } from 'vitest'
import { Redactor } from '../../../src/telemetry/redactor.js'

function redactorOf(...secrets: string[]): Redactor {
  const redactor = new Redactor()
  redactor.add(secrets)
  return redactor
}

describe('a redactor', () => {
  it.each([
    ['a secret', 'token=hunter2-hunter2.', 'token=[redacted].'],
    ['one after the other', 'hunter2-hunter2hunter2-hunter2', '[redacted][redacted]'],
    ['the longest of several', 'hunter2-hunter2-long', '[redacted]'],
    ['one cut off at the end', 'token=hunter2-hun', 'token=[redacted]'],
    ['one in JSON', String.raw`{"k":"say \"friend\" and"}`, '{"k":"[redacted]"}'],
    ['one in a URL', '?q=say%20%22friend%22%20and&b=1', '?q=[redacted]&b=1'],
    ['each line of a longer one', '12345678 and abcdefgh', '[redacted] and [redacted]'],
    ['no short words', 'short but hunter and 1234567', 'short but hunter and 1234567'],
    ['nothing else', 'all is well', 'all is well'],
  ])('takes out %s', (_, text, clean) => {
    const redactor = redactorOf(
      'short',
      '',
      'hunter2-hunter2',
      'hunter2-hunter2-long',
      'say "friend" and',
      '1234567\n  12345678\r\nabcdefgh\n',
    )
    expect(redactor.redact(text)).toBe(clean)
  })

  it('goes on to know what it was once told', () => {
    const redactor = redactorOf('the-first-secret')
    redactor.add(['the-second-secret'])
    expect(redactor.redact('the-first-secret the-second-secret')).toBe('[redacted] [redacted]')
  })

  it('goes through a text once, however many secrets there are', () => {
    const secrets = Array.from({ length: 10_000 }, (_, index) => `${index}-${'s'.repeat(40)}`)
    const redactor = redactorOf(...secrets)
    const line = `${'s'.repeat(2_000)} 9999-${'s'.repeat(40)}`
    const startedAt = Date.now()
    for (let index = 0; index < 1_000; index++) {
      expect(redactor.redact(line)).toBe(`${'s'.repeat(2_000)} [redacted]`)
    }
    // 1,000 lines against each of them in turn would be 20 billion comparisons.
    expect(Date.now() - startedAt).toBeLessThan(5_000)
  })
})
