/** Arguments and results as spans show them where that was asked for: short, and without what looks like a secret. */
import type { JsonValue } from '../../backends/index.js'

const MAX_CHARS = 4_096
const REDACTED = '[redacted]'
const SECRET_NAME =
  /pass(word|wd|phrase)?|secret|token|api[-_]?key|private[-_]?key|credential|authorization|cookie|session/i
/** Tokens of well-known forms: JWTs, bearer tokens, PEM, and the prefixed keys of the usual providers. */
const SECRET_VALUE =
  /eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\bbearer\s+\S+|-----BEGIN [A-Z ]+-----|\b(sk|ghp|gho|github_pat|glpat|xox[abp]|AKIA)[-_]?[\w-]{12,}/gi

/** The same within text: results often hold JSON, settings or commands as text. */
const SECRET_PAIR =
  /([\w-]*(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|private[-_]?key|credential|authorization|cookie)[\w-]*["'\\]*\s*[:=]\s*["'\\]*)(?!bearer\b)[^\s"'\\,;}]+/gi

/** JSON text of the value. `redact` knows the secrets of the configuration. */
export function spanContent(
  value: JsonValue | undefined,
  redact: (text: string) => string,
): string {
  const text = JSON.stringify(value ?? null, (name, member: unknown) => {
    if (name !== '' && SECRET_NAME.test(name) && typeof member !== 'object') return REDACTED
    return typeof member === 'string' ? withoutSecrets(member) : member
  })
  const known = redact(text)
  return known.length <= MAX_CHARS ? known : `${known.slice(0, MAX_CHARS)}…`
}

/** Of long text only the beginning is looked at, and shown. */
function withoutSecrets(text: string): string {
  return text
    .slice(0, MAX_CHARS)
    .replace(SECRET_VALUE, REDACTED)
    .replace(SECRET_PAIR, `$1${REDACTED}`)
}
