# What rt.py puts into a new Request Tracker, in the form of its own initial data.
use strict;
use warnings;

my @rights = qw(SeeQueue CreateTicket ShowTicket ShowTicketComments ModifyTicket CommentOnTicket ReplyToTicket
    SeeCustomField ModifyCustomField SetInitialCustomField);
my %rights = (tocsin => [@rights], agent => [@rights, qw(OwnTicket DeleteTicket)]);

our @Queues = ({ Name => 'Operations' }, { Name => 'Private' });

our @Users = map +{
    Name => $_, EmailAddress => "$_\@example.net", RealName => $_, Password => $ENV{PASSWORD}, Privileged => 1,
}, qw(tocsin agent onlooker);

my %field = (LookupType => 'RT::Queue-RT::Ticket', Queue => ['Operations'], MaxValues => 1);
our @CustomFields = (
    { Name => 'tocsin', Type => 'FreeformSingle', %field },
    {
        Name => 'Impact', Type => 'SelectSingle', %field,
        Values => [map +{ Name => $_ }, qw(none backup degraded severe interrupted)],
    },
);

our @ACL = map { my $user = $_; map +{ UserId => $user, Queue => 'Operations', Right => $_ }, @{ $rights{$user} } } sort keys %rights;

our @Final = (sub {
    my $user = RT::User->new(RT->SystemUser);
    $user->Load('tocsin');
    my ($made, $message, $secret) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->Id, Description => 'tests');
    die $message unless $made;
    open my $file, '>', $ENV{TOKEN_FILE} or die $!;
    print $file $secret;
    close $file;
});

1;
