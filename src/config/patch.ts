// A merge patch (RFC 7386) on a config: objects are merged, null deletes, anything else replaces. What was shown redacted
// and comes back so is left as it is; a redacted value for which there is none is refused. Pure.
import { SluiceError } from '../base/errors.ts'
import { isRecord, REDACTED, redacted } from './secrets.ts'

/** The config after the patch, as plain data. Throws INVALID_REQUEST. */
export function patched(config: unknown, patch: unknown): unknown {
  return merged({ now: config, shown: redacted(config) }, patch, [])
}

/** A whole document, with what came back redacted put in again. Throws INVALID_REQUEST. */
export function restored(config: unknown, document: unknown): unknown {
  return filled({ now: config, shown: redacted(config) }, document, [])
}

function filled(place: Place, value: unknown, path: readonly string[]): unknown {
  if (value === REDACTED && place.now !== undefined) return place.now
  if (!isRecord(value)) return replaced(place, value, path)
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => [name, filled(below(place, name), child, [...path, name])]),
  )
}

/** One place of the config: what stands there, and what was shown of it. */
interface Place {
  readonly now: unknown
  readonly shown: unknown
}

function merged(place: Place, patch: unknown, path: readonly string[]): unknown {
  if (patch === REDACTED && place.now !== undefined) return place.now
  if (!isRecord(patch)) return replaced(place, patch, path)
  const result = new Map<string, unknown>(isRecord(place.now) ? Object.entries(place.now) : [])
  for (const [name, child] of Object.entries(patch)) {
    if (child === null) result.delete(name)
    else result.set(name, merged(below(place, name), child, [...path, name]))
  }
  return Object.fromEntries(result)
}

/** A list is one value: it comes back just as it was shown, or without redacted values. */
function replaced(place: Place, value: unknown, path: readonly string[]): unknown {
  const text = JSON.stringify(value)
  if (!text.includes(JSON.stringify(REDACTED))) return value
  if (text === JSON.stringify(place.shown)) return place.now
  const name = path.join('.')
  const message = Array.isArray(value)
    ? `has ${REDACTED} in a list that was changed; write its values out, or as \${NAME} of the environment`
    : `is ${REDACTED}, which means unchanged, but it has no value yet`
  throw new SluiceError('INVALID_REQUEST', `The config's ${name} ${message}.`, {
    details: { issues: [{ path: name, message }] },
    outcome: 'not-started',
  })
}

function below({ now, shown }: Place, name: string): Place {
  return { now: own(now, name), shown: own(shown, name) }
}

function own(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}
