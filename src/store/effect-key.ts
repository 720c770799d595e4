// What makes an effect happen once (T1).

/** Written in the same commit as the effect. */
export interface EffectKey {
  readonly principal: string
  readonly method: string
  readonly key: string
  /** Hash of the params; the same key with another hash is refused with CONFLICT. */
  readonly paramsHash: string
}
