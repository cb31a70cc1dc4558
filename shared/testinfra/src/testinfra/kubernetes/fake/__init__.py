"""An API server in this process: what tests need of Kubernetes, answered as a real one answers.

The way of a request, one module a step; each says which rules it keeps:

- in: `server` (thread, TLS, faults), `http` (connections), `app` (order of checks), `paths`, `queries`, `bodies`
  with `protobufs`, `negotiation`; `identity` with `auth`, `rbac`, `reviews`, `grants`; `audit`
- verbs, on a `call`: `creating`, `updating` with `patches` and `strategic`, `deleting`, `reading`; `special`, `scale`
- what is right: `objects` is the door to `decoding`, `defaults`, `builtinrules`, `metadata`, and for custom resources
  `schema`, `rules`; `crds` with `crdschemas`; `traits` has what is particular about a resource
- what is there: `world` holds `store`, `kinds` (with `builtin`, the facts in `data/`), `watch`, `selectors`
- controllers: `collector` (garbage), `namespaces`, `definitions`; `bootstrap` starts them
- out: `looks` with `tables`, `conversion`; `documents` with `discovery`, `openapi`; `status_errors` with `causes`
"""
