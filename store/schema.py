"""The tables of the store. What is kept where and written together: docs/protocol/store.md.

Absent bytes are empty, absent times 0: no column is NULL. Ids are BLOB, times INTEGER ms since 1970. A released
migration is never edited. Not here: the tables of conversations.py and of the rooms.
"""

from store import handovers, remarks
from store.database import Migration

_PEOPLE = """
CREATE TABLE change (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, key INTEGER NOT NULL) STRICT;

CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
  id INTEGER PRIMARY KEY CHECK (id = 1), recovery BLOB NOT NULL, device_seed BLOB NOT NULL,
  identity_secret BLOB NOT NULL, certificate BLOB NOT NULL, name TEXT NOT NULL, transport_seed BLOB NOT NULL,
  transport_since_ms INTEGER NOT NULL, presence BLOB NOT NULL, presence_epoch INTEGER NOT NULL
) STRICT;

CREATE TABLE own_list (epoch INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT;

CREATE TABLE contact (
  id INTEGER PRIMARY KEY, account BLOB NOT NULL UNIQUE, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
  announced TEXT NOT NULL, state INTEGER NOT NULL, verified INTEGER NOT NULL, verified_ms INTEGER NOT NULL,
  alarm TEXT NOT NULL, greeting TEXT NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

CREATE TABLE pinned_list (
  contact INTEGER NOT NULL, epoch INTEGER NOT NULL, hash BLOB NOT NULL, raw BLOB NOT NULL,
  PRIMARY KEY (contact, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, device BLOB NOT NULL UNIQUE, certificate BLOB NOT NULL,
  peer BLOB NOT NULL, next_peer BLOB NOT NULL, addresses BLOB NOT NULL, counter INTEGER NOT NULL,
  bundle BLOB NOT NULL, bundle_given_ms INTEGER NOT NULL, revoked INTEGER NOT NULL
) STRICT;
CREATE INDEX device_contact ON device (contact);
CREATE INDEX device_peer ON device (peer);
CREATE INDEX device_next_peer ON device (next_peer);

CREATE TABLE presence (
  contact INTEGER NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, key BLOB NOT NULL
) STRICT;

CREATE TABLE pair_secret (
  contact INTEGER NOT NULL, epoch INTEGER NOT NULL, secret BLOB NOT NULL, made INTEGER NOT NULL,
  taken INTEGER NOT NULL, since_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, PRIMARY KEY (contact, epoch)
) STRICT, WITHOUT ROWID;
"""

_SESSIONS = """
CREATE TABLE prekey (
  number INTEGER PRIMARY KEY, one_time INTEGER NOT NULL, dh BLOB NOT NULL, kem BLOB NOT NULL,
  made_ms INTEGER NOT NULL, forget_ms INTEGER NOT NULL, spent_by BLOB NOT NULL
) STRICT;

CREATE TABLE session (
  id INTEGER PRIMARY KEY, sid BLOB NOT NULL UNIQUE, device INTEGER NOT NULL, counter INTEGER NOT NULL,
  receive_only INTEGER NOT NULL, created_ms INTEGER NOT NULL, heard_ms INTEGER NOT NULL, boot BLOB NOT NULL,
  init BLOB NOT NULL, failed BLOB NOT NULL, first_seal INTEGER NOT NULL, turn_seal INTEGER NOT NULL,
  prekey INTEGER NOT NULL, recent BLOB NOT NULL, state BLOB NOT NULL
) STRICT;
CREATE INDEX session_device ON session (device, receive_only, counter DESC, sid);

CREATE TABLE px3_seen (ephemeral BLOB NOT NULL PRIMARY KEY, sid BLOB NOT NULL, prekey INTEGER NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE INDEX px3_seen_prekey ON px3_seen (prekey);

CREATE TABLE healing (
  device INTEGER NOT NULL PRIMARY KEY, counter INTEGER NOT NULL, garbled_ms INTEGER NOT NULL,
  healed_ms INTEGER NOT NULL, restarted_ms INTEGER NOT NULL, restarts INTEGER NOT NULL, must INTEGER NOT NULL
) STRICT;

CREATE TABLE invitation (
  id BLOB NOT NULL PRIMARY KEY, long_term INTEGER NOT NULL, secret BLOB NOT NULL, bundle BLOB NOT NULL,
  created_ms INTEGER NOT NULL, expires_s INTEGER NOT NULL, fetches INTEGER NOT NULL, spent_by BLOB NOT NULL,
  second BLOB NOT NULL, revoked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

_MESSAGES = """
CREATE TABLE message (
  seq INTEGER PRIMARY KEY, message_id BLOB NOT NULL, contact INTEGER NOT NULL, device INTEGER NOT NULL,
  kind INTEGER NOT NULL, state INTEGER NOT NULL, at_ms INTEGER NOT NULL, arrived_ms INTEGER NOT NULL,
  state_ms INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_once ON message (device, message_id);
CREATE INDEX message_contact ON message (contact);

CREATE TABLE delivery (
  device INTEGER NOT NULL, message INTEGER NOT NULL, state INTEGER NOT NULL, PRIMARY KEY (device, message)
) STRICT, WITHOUT ROWID;

CREATE TABLE lane (device INTEGER NOT NULL PRIMARY KEY, round INTEGER NOT NULL, sealed INTEGER NOT NULL) STRICT;

CREATE TABLE quarantine (
  seq INTEGER PRIMARY KEY, contact INTEGER NOT NULL, device INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  bytes INTEGER NOT NULL, envelope BLOB NOT NULL
) STRICT;
CREATE INDEX quarantine_contact ON quarantine (contact, seq, bytes);
CREATE INDEX quarantine_device ON quarantine (device, at_ms);

CREATE TABLE quarantine_total (id INTEGER PRIMARY KEY CHECK (id = 1), bytes INTEGER NOT NULL) STRICT;

CREATE TABLE unheard (message INTEGER NOT NULL PRIMARY KEY, kind INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
"""

_CLOCKS = """
CREATE TABLE clock (device INTEGER NOT NULL PRIMARY KEY, offset_s INTEGER NOT NULL) STRICT;
"""

_FINDABLE = """
CREATE TABLE day_certificate (
  day INTEGER PRIMARY KEY, name BLOB NOT NULL, seed BLOB NOT NULL, certificate BLOB NOT NULL
) STRICT;

CREATE TABLE findable (id INTEGER PRIMARY KEY CHECK (id = 1), invitation BLOB NOT NULL) STRICT;
"""

_PEERS = """
CREATE TABLE peer (peer BLOB NOT NULL PRIMARY KEY, addresses BLOB NOT NULL, seen_ms INTEGER NOT NULL)
  STRICT, WITHOUT ROWID;
"""

_LOGS = """
CREATE TABLE log (
  number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, author BLOB NOT NULL, own INTEGER NOT NULL,
  secret_ref BLOB NOT NULL, state INTEGER NOT NULL, published INTEGER NOT NULL
) STRICT;

CREATE TABLE entry (
  key INTEGER PRIMARY KEY, raw BLOB NOT NULL, kept INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;

CREATE TABLE unchained (
  log INTEGER NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL, raw BLOB NOT NULL, kept INTEGER NOT NULL,
  content BLOB NOT NULL, PRIMARY KEY (log, seq)
) STRICT;
CREATE INDEX unchained_bytes ON unchained (log, bytes);

CREATE TABLE fork (log INTEGER NOT NULL PRIMARY KEY, proof BLOB NOT NULL, at_ms INTEGER NOT NULL) STRICT;
"""

_SPACES = """
CREATE TABLE space (
  log INTEGER NOT NULL PRIMARY KEY, contact INTEGER NOT NULL, role INTEGER NOT NULL, name TEXT NOT NULL,
  anchor BLOB NOT NULL, epoch INTEGER NOT NULL, previous INTEGER NOT NULL, since_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX space_contact ON space (contact);

CREATE TABLE reader (
  log INTEGER NOT NULL, contact INTEGER NOT NULL, told INTEGER NOT NULL, PRIMARY KEY (log, contact)
) STRICT, WITHOUT ROWID;
CREATE INDEX reader_contact ON reader (contact);

CREATE TABLE witnessed (
  author BLOB NOT NULL PRIMARY KEY, contact INTEGER NOT NULL, seen BLOB NOT NULL, before BLOB NOT NULL,
  proof BLOB NOT NULL, doubt BLOB NOT NULL, signed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cosignature (
  log INTEGER NOT NULL, seq INTEGER NOT NULL, contact INTEGER NOT NULL, raw BLOB NOT NULL,
  PRIMARY KEY (log, seq, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE commitment (log INTEGER NOT NULL PRIMARY KEY, seq INTEGER NOT NULL, raw BLOB NOT NULL) STRICT;

CREATE TABLE sync_round (device INTEGER NOT NULL PRIMARY KEY, raw BLOB NOT NULL) STRICT;
CREATE TABLE log_trouble (
  number INTEGER PRIMARY KEY, log INTEGER NOT NULL, what INTEGER NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
"""

_KEEPERS = """
CREATE TABLE keeper (
  id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, name TEXT NOT NULL, state INTEGER NOT NULL,
  version INTEGER NOT NULL,
  permit BLOB NOT NULL, find BLOB NOT NULL, owner_seed BLOB NOT NULL, peer BLOB NOT NULL, addresses BLOB NOT NULL,
  space INTEGER NOT NULL, ttl_s INTEGER NOT NULL, since_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
  bytes INTEGER NOT NULL, items INTEGER NOT NULL, done INTEGER NOT NULL, fault TEXT NOT NULL,
  lie TEXT NOT NULL
) STRICT;

CREATE TABLE queue (
  id INTEGER PRIMARY KEY, keeper INTEGER NOT NULL, contact INTEGER NOT NULL, reader BLOB NOT NULL UNIQUE,
  sender BLOB NOT NULL, put_key BLOB NOT NULL, wrap_key BLOB NOT NULL, state INTEGER NOT NULL, watch BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX queue_keeper ON queue (keeper, contact);
CREATE INDEX queue_sender ON queue (sender);

CREATE TABLE inbox_told (contact INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, lines BLOB NOT NULL) STRICT;

CREATE TABLE inbox (
  device INTEGER NOT NULL PRIMARY KEY, version INTEGER NOT NULL, run BLOB NOT NULL, sealing INTEGER NOT NULL
) STRICT;

CREATE TABLE inbox_line (
  id INTEGER PRIMARY KEY, device INTEGER NOT NULL, place INTEGER NOT NULL, raw BLOB NOT NULL, peer BLOB NOT NULL,
  addresses BLOB NOT NULL, sender BLOB NOT NULL UNIQUE, number INTEGER NOT NULL, kept INTEGER NOT NULL
) STRICT;
CREATE INDEX inbox_line_device ON inbox_line (device, place);

CREATE TABLE parcel (
  line INTEGER NOT NULL, number INTEGER NOT NULL, device INTEGER NOT NULL, message INTEGER NOT NULL,
  sealed_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, envelope BLOB NOT NULL, PRIMARY KEY (line, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX parcel_message ON parcel (device, message, line);

CREATE TABLE collected (
  contact INTEGER NOT NULL, run BLOB NOT NULL, sealing INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (contact, run, sealing)
) STRICT, WITHOUT ROWID;

CREATE TABLE door (invitation BLOB NOT NULL PRIMARY KEY, seed BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""

_CARRYING = """
CREATE TABLE carrying (
  log INTEGER NOT NULL, contact INTEGER NOT NULL, held INTEGER NOT NULL, sent INTEGER NOT NULL,
  sent_ms INTEGER NOT NULL, nonce BLOB NOT NULL, standing INTEGER NOT NULL, told INTEGER NOT NULL,
  heard_ms INTEGER NOT NULL, PRIMARY KEY (log, contact)
) STRICT, WITHOUT ROWID;
CREATE TABLE carried (
  contact INTEGER NOT NULL, log BLOB NOT NULL, nonce BLOB NOT NULL, since INTEGER NOT NULL, owed INTEGER NOT NULL,
  offers INTEGER NOT NULL, PRIMARY KEY (contact, log)
) STRICT, WITHOUT ROWID;
CREATE TABLE returned (
  id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, log INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX carried_owed ON carried (contact, log) WHERE owed != 0;
CREATE INDEX message_passing ON message (seq) WHERE kind IN (306) AND body != x'';
CREATE TABLE log_doubt (log INTEGER NOT NULL PRIMARY KEY, nonce BLOB NOT NULL) STRICT;
"""

_WINDOWS = """
CREATE TABLE log_window (log INTEGER NOT NULL PRIMARY KEY, window_ms INTEGER NOT NULL) STRICT;
CREATE INDEX space_previous ON space (previous);
CREATE INDEX entry_awaited ON entry (key) WHERE kept = 1;
"""
_LEAVING = """
ALTER TABLE delivery ADD COLUMN copies TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN due_ms INTEGER NOT NULL DEFAULT 0;
UPDATE delivery SET due_ms = 1
  WHERE EXISTS (SELECT 1 FROM parcel p WHERE p.device = delivery.device AND p.message = delivery.message);
CREATE INDEX delivery_copies ON delivery (device, copies);
CREATE INDEX delivery_due ON delivery (device, due_ms) WHERE due_ms > 0;
"""

_NOTES = "ALTER TABLE keeper ADD COLUMN notes INTEGER NOT NULL DEFAULT 0;"
_ASKING = "ALTER TABLE healing ADD COLUMN asked_ms INTEGER NOT NULL DEFAULT 0;"

_ATTESTING = """
CREATE TABLE mutual (
  contact INTEGER NOT NULL, log INTEGER NOT NULL, seen_ms INTEGER NOT NULL, PRIMARY KEY (contact, log)
) STRICT, WITHOUT ROWID;
CREATE INDEX mutual_log ON mutual (log);

CREATE TABLE beheld (subject BLOB NOT NULL PRIMARY KEY, time_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX beheld_time ON beheld (time_ms);

CREATE TABLE beheld_day (contact INTEGER NOT NULL PRIMARY KEY, day INTEGER NOT NULL, count INTEGER NOT NULL) STRICT;

CREATE TABLE asked_word (
  number INTEGER PRIMARY KEY, subject BLOB NOT NULL, device BLOB NOT NULL, raw BLOB NOT NULL, UNIQUE (subject, device)
) STRICT;
"""

_LEDGER = """
CREATE TABLE tab (
  contact INTEGER NOT NULL PRIMARY KEY, ours_log INTEGER NOT NULL, ours_seq INTEGER NOT NULL, ours_id BLOB NOT NULL,
  theirs_log INTEGER NOT NULL, theirs_seq INTEGER NOT NULL, theirs_id BLOB NOT NULL, image BLOB NOT NULL
) STRICT;

CREATE TABLE tab_mark (contact INTEGER NOT NULL PRIMARY KEY, mark BLOB NOT NULL) STRICT;

CREATE TABLE unsaid (number INTEGER PRIMARY KEY, contact INTEGER NOT NULL, term BLOB NOT NULL) STRICT;
CREATE INDEX unsaid_contact ON unsaid (contact);

CREATE TABLE payment (
  id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, mine INTEGER NOT NULL, pay BLOB NOT NULL, unit TEXT NOT NULL,
  amount INTEGER NOT NULL, stage INTEGER NOT NULL, offered_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL, memo TEXT NOT NULL, cause INTEGER NOT NULL, of BLOB NOT NULL, hop INTEGER NOT NULL,
  generation INTEGER NOT NULL, lapsed INTEGER NOT NULL, UNIQUE (contact, mine, pay, generation)
) STRICT;
CREATE INDEX payment_contact ON payment (contact);
CREATE INDEX payment_end ON payment (substr(pay, 15));
CREATE INDEX payment_open ON payment (id) WHERE stage < 5;
CREATE INDEX payment_expiry ON payment (expires_ms) WHERE mine = 1 AND stage < 3;
CREATE INDEX payment_settled ON payment (changed_ms) WHERE stage = 5;
CREATE INDEX payment_of ON payment (of) WHERE of != x'';

CREATE TABLE request (
  id INTEGER PRIMARY KEY, contact INTEGER NOT NULL, mine INTEGER NOT NULL, request BLOB NOT NULL, unit TEXT NOT NULL,
  amount INTEGER NOT NULL, due_ms INTEGER NOT NULL, memo TEXT NOT NULL, cause INTEGER NOT NULL, of BLOB NOT NULL,
  at_ms INTEGER NOT NULL, state INTEGER NOT NULL, generation INTEGER NOT NULL,
  UNIQUE (contact, mine, request, generation)
) STRICT;
CREATE INDEX request_end ON request (substr(request, 15));
CREATE INDEX request_open ON request (id) WHERE state = 0;

CREATE TABLE balance (
  contact INTEGER NOT NULL, unit TEXT NOT NULL, owed INTEGER NOT NULL, allowed INTEGER NOT NULL,
  credit INTEGER NOT NULL, PRIMARY KEY (contact, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE expected (
  contact INTEGER NOT NULL, cause INTEGER NOT NULL, of BLOB NOT NULL, unit TEXT NOT NULL, amount INTEGER NOT NULL,
  PRIMARY KEY (contact, cause, of)
) STRICT, WITHOUT ROWID;

CREATE TABLE recovered (log INTEGER NOT NULL PRIMARY KEY) STRICT;
"""

_RECEIPTS = """
CREATE TABLE receipt (
  contact INTEGER NOT NULL, mine INTEGER NOT NULL, pay BLOB NOT NULL, invoice BLOB NOT NULL, lines TEXT NOT NULL,
  at_ms INTEGER NOT NULL, PRIMARY KEY (contact, mine, pay)
) STRICT, WITHOUT ROWID;
"""

_LOCKS = """
CREATE TABLE locked (
  contact INTEGER NOT NULL, mine INTEGER NOT NULL, pay BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (contact, mine, pay)
) STRICT, WITHOUT ROWID;
CREATE INDEX locked_hash ON locked (hash);

CREATE TABLE preimage (hash BLOB NOT NULL PRIMARY KEY, preimage BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""

_STANDING = """
CREATE TABLE tab_standing (
  contact INTEGER NOT NULL PRIMARY KEY, generation INTEGER NOT NULL, pause TEXT NOT NULL, seq INTEGER NOT NULL,
  said BLOB NOT NULL, found BLOB NOT NULL, mine BLOB NOT NULL, his BLOB NOT NULL, is_answered INTEGER NOT NULL,
  is_agreed INTEGER NOT NULL
) STRICT;

CREATE TABLE begun_anew (
  contact INTEGER NOT NULL, generation INTEGER NOT NULL, unit TEXT NOT NULL, amount INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, log BLOB NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (contact, generation, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE proposed_at (
  contact INTEGER NOT NULL PRIMARY KEY, generation INTEGER NOT NULL, owed BLOB NOT NULL
) STRICT;

CREATE TABLE limit_before (
  contact INTEGER NOT NULL, unit TEXT NOT NULL, most INTEGER NOT NULL, PRIMARY KEY (contact, unit)
) STRICT, WITHOUT ROWID;
"""

_TESTIMONY = """
CREATE TABLE asked_time (
  subject BLOB NOT NULL PRIMARY KEY, contact INTEGER NOT NULL, pay BLOB NOT NULL, accept BLOB NOT NULL,
  nonce BLOB NOT NULL, UNIQUE (contact, pay)
) STRICT, WITHOUT ROWID;

CREATE TABLE attested (
  contact INTEGER NOT NULL, mine INTEGER NOT NULL, pay BLOB NOT NULL, witness BLOB NOT NULL,
  PRIMARY KEY (contact, mine, pay)
) STRICT, WITHOUT ROWID;
"""

_REMINDERS = """
CREATE TABLE request_word (
  contact INTEGER NOT NULL, mine INTEGER NOT NULL, request BLOB NOT NULL, reminded_ms INTEGER NOT NULL,
  paid INTEGER NOT NULL, people INTEGER NOT NULL, PRIMARY KEY (contact, mine, request)
) STRICT, WITHOUT ROWID;
"""

_ISSUED = "CREATE TABLE voucher (unit TEXT NOT NULL PRIMARY KEY, made_ms INTEGER NOT NULL) STRICT;"

CORE: tuple[Migration, ...] = (
    Migration("people", 1, _PEOPLE),
    Migration("sessions", 1, _SESSIONS),
    Migration("messages", 1, _MESSAGES),
    Migration("people", 2, _CLOCKS),
    Migration("findable", 1, _FINDABLE),
    Migration("peers", 1, _PEERS),
    Migration("logs", 1, _LOGS),
    Migration("logs", 2, _SPACES),
    Migration("keepers", 1, _KEEPERS),
    Migration("logs", 3, _CARRYING),
    Migration("logs", 4, _WINDOWS),
    Migration("keepers", 2, _LEAVING),
    Migration("keepers", 3, _NOTES),
    Migration("sessions", 2, _ASKING),
    Migration("attesting", 1, _ATTESTING),
    Migration("ledger", 1, _LEDGER),
    Migration("ledger", 2, _STANDING),
    Migration("testimony", 1, _TESTIMONY),
    Migration("reminders", 1, _REMINDERS),
    Migration("receipts", 1, _RECEIPTS),
    Migration("locks", 1, _LOCKS),
    Migration("vouchers", 1, _ISSUED),
    *(*remarks.SCHEMA, *handovers.SCHEMA),
)
