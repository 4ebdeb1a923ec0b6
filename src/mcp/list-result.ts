/** The result of a list: long text that is completed, and neither parsed nor encoded for each client. */
import type { RawObject } from '../../backends/index.js'
import { RawJson } from '../../backends/index.js'
import type { ListAnswer } from '../../federation/index.js'

/** `more` are further members of the result, each after a comma. */
export function listResult({ member, bytes }: ListAnswer, more: string): RawObject {
  if (bytes === undefined) return RawJson.fromText(`{${member}${more}}`)
  return RawJson.fromBytes([Buffer.from('{'), bytes, Buffer.from(`${more}}`)], {})
}
