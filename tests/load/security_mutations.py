"""`python -m tests.load.security_mutations [NAME ...]`: the guards of access and of secrets, each taken out once; a test must
notice. As `tests.load.mutations`, whose table is of the engine's guards.
"""

from __future__ import annotations

import sys

from tests.load.mutations import Mutation, main

HOOKS = "tests/api/auterity/test_webhook_trigger.py"
EGRESS = "tests/providers/test_egress.py"

MUTATIONS = [
    Mutation(
        "a tenant's query not narrowed to the tenant", "auterity/kernel/tenancy.py",
        "super().get_queryset().filter(organization_id=organization_id)", "super().get_queryset()",
        "tests/load/test_security_gates.py::test_a_missing_tenant_filter_is_noticed"
        " tests/api/test_tenancy.py::test_every_id_of_another_organization_is_unknown_everywhere",
    ),
    Mutation(
        "a refresh token may be spent again", "accounts/sessions.py",
        "id=claims.id, session_id=claims.session_id, used_at=None)", "id=claims.id, session_id=claims.session_id)",
        "tests/accounts/test_refresh.py::test_a_second_use_ends_the_session_and_everything_that_came_from_it",
    ),
    Mutation(
        "wrong guesses lock nothing", "accounts/guesses.py",
        "        if wait > 0:\n            raise", "        if False:\n            raise",
        "tests/accounts/test_guesses.py::test_a_lock_lasts_a_quarter_of_an_hour_from_the_tenth_failure"
        " tests/api/test_four_logins.py::test_ten_wrong_passwords_lock_all_four",
    ),
    Mutation(
        "a cookie asks for no CSRF token", "api/csrf.py", "if bearer.by_cookie or HEADER in", "if HEADER in",
        "tests/api/workflow_engine/test_cookies.py::test_a_change_by_cookie_needs_a_token_of_this_login",
    ),
    Mutation(
        "the name is dialled, not the judged address", "integrations/egress.py",
        "network.dial(str(address), port, seconds)", "network.dial(host, port, seconds)",
        f"{EGRESS}::test_name_is_resolved_once_and_exactly_the_judged_address_is_dialled",
    ),
    Mutation(
        "inner addresses not refused", "integrations/egress.py",
        "    why = why_not_public(address)\n    if why is not None:", "    why = why_not_public(address)\n    if False:",
        "tests/providers/test_egress_corpus.py::test_name_that_resolves_to_an_inner_address_is_refused",
    ),
    Mutation(
        "one public address among inner ones is enough", "integrations/egress.py",
        "        for each in strangers:\n            _check_address(host, each)", "        _check_address(host, addresses[0])",
        f"{EGRESS}::test_one_inner_address_among_public_ones_refuses_the_name",
    ),
    Mutation(
        "a webhook's proof not looked at", "executions/call_proofs.py",
        "return any(hmac.compare_digest(each.encode(), expected.encode()) for each in given)", "return True",
        f"{HOOKS}::test_every_flaw_of_a_proof_gets_the_same_refusal",
    ),
    Mutation(
        "a webhook's time not looked at", "executions/call_proofs.py",
        "abs(time.time() - int(moment)) <= seconds", "seconds >= 0",
        f"{HOOKS}::test_every_flaw_of_a_proof_gets_the_same_refusal",
    ),
    Mutation(
        "a socket's ticket opens again", "api/socket_tickets.py",
        "if found is None or not rows.filter(pk=found.pk).delete()[0]:", "if found is None:",
        "tests/api/test_socket_doors.py::test_a_ticket_opens_one_socket_once",
    ),
    Mutation(
        "a ticket opens every path", "api/socket_tickets.py",
        "digest=_digest(secret), path=path.rstrip(\"/\"), expires", "digest=_digest(secret), expires",
        "tests/api/test_socket_doors.py::test_a_ticket_is_for_its_path_alone",
    ),
    Mutation(
        "hashes of the trail not compared", "audit/chain.py",
        "if event_hash(event, number, running) != event.hash:", "if False:",
        "tests/audit/test_chain.py::test_tampering_is_found_and_said_where",
    ),
    Mutation(
        "a sealed text opens at another place", "vault/keys.py",
        "return f\"{organization_id}|{place}|{number}\"", "return f\"{organization_id}|{number}\"",
        "tests/vault/test_keys.py::test_a_sealed_text_opens_nothing_elsewhere",
    ),
    Mutation(
        "what an operation needs not asked", "api/needs.py",
        "        elif isinstance(each, Permission):\n            require(actor, each)",
        "        elif isinstance(each, Permission):\n            pass",
        "tests/load/test_security_gates.py::test_the_gate_is_passed[tests.load.g16_roles]",
    ),
    Mutation(
        "what only a person may do, a key may too", "api/needs.py",
        "            require_person(actor)", "            pass",
        "tests/api/test_api_keys.py",
    ),
    Mutation(
        "an operation that declares nothing is open", "api/needs.py",
        "        raise PermissionDenied(\"Nobody may do this: it does not say what it needs.\")", "        return",
        "tests/api/test_needs.py",
    ),
    Mutation(
        "a backup code works again", "accounts/backup_codes.py",
        "code_hash=_hash(user_id, tidy), used_at=None)", "code_hash=_hash(user_id, tidy))",
        "tests/accounts/test_totp.py::test_a_backup_code_works_once_however_it_is_typed",
    ),
    Mutation(
        "a way back from a provider works again", "identity/signins.py",
        "state_hash=_hash(state), used_at=None, expires_at__gt=now", "state_hash=_hash(state), expires_at__gt=now",
        "tests/identity/test_oidc_refusals.py",
    ),
    Mutation(
        "an id_token's nonce not looked at", "identity/oidc.py",
        "if not hmac.compare_digest(str(claims.get(\"nonce\", \"\")).encode(\"utf-8\", \"replace\"), nonce.encode()):",
        "if False:", "tests/identity/test_oidc_refusals.py::test_an_id_token_with_a_lie_is_not_believed",
    ),
    Mutation(
        "a passkey's challenge works again", "identity/passkeys.py",
        "Ceremony.objects.filter(asked, used_at=None, expires_at__gt=now)", "Ceremony.objects.filter(asked, expires_at__gt=now)",
        "tests/identity/test_passkey_refusals.py::test_a_challenge_works_once",
    ),
    Mutation(
        "a mailed link stands in the log", "auterity/kernel/logs.py",
        "return without_links(super().format(record))", "return super().format(record)",
        "tests/kernel/test_logs.py",
    ),
    Mutation(
        "an operator gives themselves every right", "accounts/admin.py",
        "return bool(getattr(request.user, \"is_superuser\", False))", "return True",
        "tests/admin/test_powers.py",
    ),
    Mutation(
        "guards of the trail known by their names alone", "audit/guards.py",
        "if name in NAMES and written == _sqlite(name)[-1]", "if name in NAMES",
        "tests/audit/test_chain.py::test_guards_that_let_everything_pass_are_none",
    ),
]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], MUTATIONS, "security_mutations"))
