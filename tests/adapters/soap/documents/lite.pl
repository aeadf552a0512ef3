# SOAP::Lite's own daemon: one process, one connection at a time, every value with its guessed type. It prints its port.
use strict;
use warnings;
use SOAP::Transport::HTTP;

package Echo;

sub echo {
    my ($class, $text) = @_;
    die SOAP::Fault->faultcode('Client')->faultstring('nothing to say, see /srv/lite.pl line 12') if $text eq '';
    die 'an exception that nobody caught' if $text eq 'die';
    return SOAP::Data->name(text => "$text");
}

package main;

my $daemon = SOAP::Transport::HTTP::Daemon->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 20);
$daemon->dispatch_with({'urn:test:lite' => 'Echo'});
print $daemon->sockport, "\n";
STDOUT->flush;
$daemon->handle;
