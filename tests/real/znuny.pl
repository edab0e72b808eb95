# What znuny.py puts into a new Znuny: its tables, its own first data and settings, and what the tests need.
use strict;
use warnings;

my $Home;
BEGIN { $Home = $ENV{ZNUNY_HOME} }
use lib $Home, "$Home/Custom";
use DBI;
use Kernel::System::ObjectManager;

my $Server = DBI->connect("DBI:mysql:;mysql_socket=$ENV{ZNUNY_SOCKET};mysql_multi_statements=1", 'root', '', { RaiseError => 1 });
$Server->do('CREATE DATABASE znuny CHARACTER SET utf8');
$Server->do('USE znuny');
$Server->do('SET NAMES utf8');
for my $Part (qw(schema initial_insert schema-post)) {
    open my $File, '<', "$Home/scripts/database/$Part.mysql.sql" or die "$Part: $!";
    my $Statements = $Server->prepare(do { local $/; <$File> });
    $Statements->execute;
    1 while $Statements->more_results;
}
$Server->disconnect;

system($^X, "$Home/bin/otrs.Console.pl", 'Maint::Config::Rebuild', '--allow-root') == 0 or die 'no settings';

local $Kernel::OM = Kernel::System::ObjectManager->new('Kernel::System::Log' => { LogPrefix => 'tests' });
sub object { return $Kernel::OM->Get("Kernel::System::$_[0]") }
my %By = (ValidID => 1, UserID => 1, ChangeUserID => 1);

my %Queue = (SystemAddressID => 1, SalutationID => 1, SignatureID => 1, FollowUpID => 1, FollowUpLock => 0, %By);
my %Group;
for my $Name (qw(Operations Private)) {
    $Group{$Name} = object('Group')->GroupAdd(Name => lc $Name, %By) or die $Name;
    object('Queue')->QueueAdd(Name => $Name, GroupID => $Group{$Name}, %Queue) or die $Name;
}

my @Rights = qw(ro move_into create note owner priority rw);
for my $Name (qw(tocsin agent onlooker)) {
    my $User = object('User')->UserAdd(
        UserFirstname => $Name, UserLastname => 'Example', UserLogin => $Name, UserPw => $ENV{PASSWORD},
        UserEmail => "$Name\@example.net", %By,
    ) or die $Name;
    next if $Name eq 'onlooker';
    object('Group')->PermissionGroupUserAdd(
        GID => $Group{Operations}, UID => $User, Permission => { map { $_ => 1 } @Rights }, UserID => 1,
    ) or die $Name;
}
object('CustomerUser')->CustomerUserAdd(
    Source => 'CustomerUser', UserFirstname => 'Supervision', UserLastname => 'Example', UserCustomerID => 'example',
    UserLogin => 'supervision', UserEmail => 'supervision@example.net', %By,
) or die 'no customer';

my %Values = map { $_ => $_ } qw(none backup degraded severe interrupted);
my %Field = (
    tocsin => { FieldType => 'Text', Config => { DefaultValue => '' } },
    Impact => { FieldType => 'Dropdown', Config => { PossibleValues => \%Values, PossibleNone => 1, DefaultValue => '' } },
);
my $Order = 1;
for my $Name (sort keys %Field) {
    object('DynamicField')->DynamicFieldAdd(
        Name => $Name, Label => $Name, FieldOrder => $Order++, ObjectType => 'Ticket', %{ $Field{$Name} }, %By,
    ) or die $Name;
}

my $Text = object('Main')->FileRead(Location => $ENV{WEBSERVICE_FILE}, Mode => 'utf8') or die 'no web service';
my $Config = object('YAML')->Load(Data => ${$Text}) or die 'no web service';
object('GenericInterface::Webservice')->WebserviceAdd(Name => 'tocsin', Config => $Config, %By) or die 'no web service';
