/** Reading what requests say, with errors that say what they should. */
import type { JsonObject } from '../backends/index.js'
import { InvalidParamsError } from './errors.js'

/** @throws InvalidParamsError, naming the member by its `path` */
export function stringIn(object: JsonObject, key: string, path: string = key): string {
  const value = object[key]
  if (typeof value !== 'string') throw new InvalidParamsError(`"${path}" must be a string`)
  return value
}
