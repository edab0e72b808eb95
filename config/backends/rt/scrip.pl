# The scrip by which Request Tracker 5 tells tocsin that somebody worked on a ticket. Replace queue, address and bearer token,
# then, on the server of RT (Debian's names; `rt-setup-database` elsewhere):
#     rt-setup-database-5 --action insert --datafile scrip.pl
# or paste the three pieces of code into Admin > Scrips > Create (condition and action "User Defined", template "Blank").
# It runs while the person waits, two seconds at most, and is not repeated: keep `poll` on beside it.
use strict;
use warnings;

our @Scrips = ({
    Queue          => 'Operations',
    Description    => 'Tell tocsin',
    ScripCondition => 'User Defined',
    ScripAction    => 'User Defined',
    Template       => 'Blank',
    CustomIsApplicableCode => <<'CODE',
my $transaction = $self->TransactionObj;
return 0 if $transaction->CreatorObj->Name eq 'tocsin';
return $transaction->Type =~ /^(?:Status|Comment|Correspond|Set|CustomField|AddLink)$/;
CODE
    CustomPrepareCode => "return 1;\n",
    CustomCommitCode  => <<'CODE',
my $ticket = $self->TicketObj;
my $reference = $ticket->FirstCustomFieldValue('tocsin') or return 1;
require LWP::UserAgent;
require JSON;
my $said = JSON::to_json({ number => $ticket->Id, reference => $reference }, { utf8 => 1 });
my $answer = LWP::UserAgent->new(timeout => 2)->post(
    'https://tocsin.example.net/hooks/tickets/rt',
    'Content-Type' => 'application/json', 'Authorization' => 'Bearer made-up', Content => $said,
);
RT->Logger->error('tocsin: ' . $answer->status_line) unless $answer->is_success;
return 1;
CODE
});

1;
