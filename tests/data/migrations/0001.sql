-- Rows as the program wrote them after migration 0001; later migrations must keep them.
insert into lanes (key, state, version, ready_at, epoch, claimed_until) values
  ('change/tools/beaver~7', '{"patchSetSeen":1}', 3, now(), 4, now() + interval '10 s'),
  ('change/tools/beaver~8', null, 0, null, 0, null);
insert into events (lane, body, state, attempts, handled_at, reason) values
  ('change/tools/beaver~7', '{"is":"change-poked","why":"comment-added"}', 0, 1, null, null),
  ('change/tools/beaver~7', '{"is":"change-gone"}', 1, 1, now(), null),
  ('change/tools/beaver~8', '{"is":"unheard-of"}', 2, 5, null, 'It cannot be read.');
insert into effects (key, lane, pool, sequence, body, state, attempts, epoch, stop_requested, claimed_until, claimed_by, finished_at, reason) values
  ('source/1', 'change/tools/beaver~7', 'vcs', null, '{"do":"prepare-source"}', 0, 1, 1, false, now() + interval '8 s', 'replica-1', null, null),
  ('review/tools/beaver~7/start', 'change/tools/beaver~7', 'review', 'change/tools/beaver~7', '{"do":"post-review"}', 1, 1, 1, false, null, 'replica-1', now(), null),
  ('stage/1/commit/1', 'change/tools/beaver~7', 'runner', null, '{"do":"run-stage"}', 2, 5, 5, true, null, 'replica-1', now(), 'No worker.');
insert into leases (name, holder, until) values ('stream', 'replica-1', now() + interval '6 s');
insert into facts (name, value) values ('installed', '2026-03-01T12:00:00.0000000+00:00');
insert into runs (id, project, number, patch_set, created, finished, result, hidden, doc) values
  (1, 'tools/beaver', 7, 1, now(), null, null, false, '{"id":{"value":1}}'),
  (2, 'tools/beaver', 8, 1, now(), now(), 'Success', true, '{"id":{"value":2}}');
insert into artifacts (run, stage, attempt, path, digest, size, is_report) values (2, 'commit', 1, 'out/a.xml', repeat('a', 64), 12, true);
insert into logs (run, stage, attempt, size, lines, digest) values (1, 'commit', 1, 4, 1, null), (2, 'commit', 1, 9, 2, repeat('b', 64));
insert into log_chunks (run, stage, attempt, start, first_line, bytes) values (1, 'commit', 1, 0, 0, '\x6f6e650a');
insert into snapshots (project, tree, history, digest, size, submodules) values
  ('tools/beaver', repeat('c', 40), false, repeat('d', 64), 100, '[{"path":"vendor/teeth","commit":"e","url":""}]');
