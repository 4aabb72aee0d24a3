# Reads envelopes, makes the calls they hold, writes frames "\n@hv1 <batch id> {json}". PowerShell 4 syntax, and only what
# ConstrainedLanguage allows except where $hv.full is asked. Frames go down the pipeline, so nothing that writes one may be
# captured; values come back in $hv.v. Tables 0, 1, ... stand for lists (+= copies). Aliases win over functions: hence the prefix.
if (-not $global:hv) { $global:hv = @{ seen = @{}; stages = '' } }; $hv.full = "$($ExecutionContext.SessionState.LanguageMode)" -eq 'FullLanguage'
$hv.hold = $false; $hv.sent = [datetime]::UtcNow; $hv.home = Join-Path "$env:ProgramData" 'hvctl'; $hv.journals = Join-Path $hv.home 'journal'
function hvText($s) {
    if ($s -cnotmatch '[^ !#-\[\]-~]') { return '"' + $s + '"' }
    '"' + (-join @(foreach ($c in $s.ToCharArray()) { if ("$c" -cmatch '[ !#-\[\]-~]') { $c } else { '\u{0:x4}' -f [int]$c } })) + '"'
}
function hvJson($v) {
    if ($null -eq $v) { 'null' } elseif ($v -is [string]) { hvText $v } elseif ($v -is [bool]) { if ($v) { 'true' } else { 'false' } }
    elseif ($v -is [timespan]) { "$($v.Ticks)" } elseif ($v -is [datetime]) { '"' + $v.ToUniversalTime().ToString('o') + '"' }
    elseif ($v -is [valuetype] -and $v -isnot [enum] -and $v -isnot [char] -and "$v" -match '^-?\d+(\.\d+)?(E[-+]?\d+)?$') { "$v" }
    elseif ($v -is [Collections.IEnumerable]) { hvList $v } else { hvText "$v" }
}
function hvList($list, $select) { '[' + (@(foreach ($i in $list) { if ($select -and $null -ne $i) { hvRow $i $select } else { hvJson $i } }) -join ',') + ']' }
function hvAt($o, $path) { # the value at a path into $hv.v, null over null; false where a property is absent. A getter that throws reads as null.
    foreach ($name in $path) { if ($null -eq $o) { break } elseif ($null -eq ($p = $o.PSObject.Properties[$name])) { return $false }; try { $o = $p.Value } catch { $o = $null } }
    $hv.v = $o; $true
}
function hvRow($o, $select) {
    if ($select[0] -eq '*') { return '{"":' + (hvJson $o) + '}' } else { $t = '' }
    foreach ($s in $select) {
        if ($s -is [string]) {
            if ($null -eq ($p = $o.PSObject.Properties[$s])) { continue }
            try { $v = $p.Value } catch { $v = $null }; $key = ',"' + $s + '":'; $sub = $null
        } else { if (-not (hvAt $o $s.p)) { continue }; $v = $hv.v; $key = ',"' + $s.k + '":'; $sub = $s.l }
        # The usual values stand here, not in a function: a call of a function costs 45 microseconds.
        if ($null -eq $v) { $t += $key + 'null' } elseif ($null -ne $sub) { $t += $key + (hvList $v $sub) } elseif ($v -is [string] -and $v -cnotmatch '[^ !#-\[\]-~]') { $t += $key + '"' + $v + '"' }
        elseif ($v -is [int] -or $v -is [long] -or $v -is [uint64]) { $t += $key + $v } else { $t += $key + (hvJson $v) }
    }
    '{' + ($t -replace '^,') + '}'
}
# The frames of a read are held back up to 108 KB (78 and a row frame) or 10 s: each write ends a pending Receive, which costs a request.
function hvFrame($type, $rest) {
    if ($hv.id -ne '-') { $hv.n++ }
    $hv.held += "`n@hv1 $($hv.id) {""n"":$($hv.n),""t"":""$type""$rest}"; $waits = ([datetime]::UtcNow - $hv.sent).TotalSeconds
    if (-not $hv.hold -or 'end', 'fatal' -contains $type -or $hv.held.Length -gt 78000 -or $waits -gt 10) { $hv.held; $hv.held = ''; $hv.sent = [datetime]::UtcNow }
}
function hvFlush { if ($hv.buffer) { hvFrame 'rows' ($hv.step + ',"rows":[' + $hv.buffer.Substring(1) + ']') }; $hv.buffer = '' }
# An error: its JSON without braces, so that "value" and "of" can follow.
function hvOwn($id, $category, $text, $chain) { @{ id = $id; json = """id"":""$id"",""category"":""$category"",""message"":$(hvText $text),""target"":"""",""exceptions"":[$chain]" } }
function hvRecord($e) {
    $t = for ($x = $e.Exception; $x; $x = $x.InnerException) { "[$(hvText $x.PSObject.TypeNames[0]),$([int]$x.HResult),$(hvText "$($x.Message)")]" }
    $json = """id"":$(hvText "$($e.FullyQualifiedErrorId)"),""category"":""$($e.CategoryInfo.Category)"",""message"":$(hvText "$e")"
    @{ id = "$($e.FullyQualifiedErrorId)"; json = "$json,""target"":$(hvText "$($e.CategoryInfo.TargetName)"),""exceptions"":[$($t -join ',')]" }
}
function hvAdd($r, $e, $tag) { $r.errors[$r.errors.Count] = @{ id = $e.id; json = $e.json + $tag } }
# Ends a step before its call: 'errors' for those in $hv.errors, 'none' for nothing to do, else why it is skipped.
function hvHalt($why, $errors) { $hv.why = $why; $hv.errors = $errors; throw 'hvHalt' }
function hvDeny($id, $category, $text) { hvHalt 'errors' @(hvOwn $id $category $text) }
function hvOf($s) { foreach ($e in @(hvArray $s.errors)) { @{ id = $e.id; json = $e.json + $(if ($e.json -notmatch ',"of":') { ",""of"":""$($s.cmdlet)""" }) } } }
function hvArray($table) { for ($i = 0; $i -lt $table.Count; $i++) { , $table[$i] } }
function hvValue($v, $each) {
    $hv.v = $v; $list = @{}; $map = @{}
    if ($v -is [array]) {
        foreach ($i in $v) {
            if ($i -isnot [array] -and $i.'$ref'.many) { hvRef $i.'$ref' $each; foreach ($x in $hv.v) { $list[$list.Count] = $x } }
            else { hvValue $i; $list[$list.Count] = $hv.v }
        }
        if ($each -and -not $list.Count) { hvHalt 'none' } else { $hv.v = @(hvArray $list) }
    } elseif ($v -is [Management.Automation.PSCustomObject]) {
        foreach ($p in $v.PSObject.Properties) { $tag = $p.Name; $body = $p.Value }
        if ($tag -eq '$ref') { hvRef $body } elseif ($tag -eq '$null') { $hv.v = $null } elseif ($tag -eq '$join') { $hv.v = -join $body }
        elseif ($tag -eq '$map') { foreach ($pair in $body) { hvValue $pair[1]; $map[(-join $pair[0])] = $hv.v }; $hv.v = $map }
        elseif ($tag -eq '$secret') { $hv.v = -join $body } elseif ($tag -eq '$home') { $hv.v = Join-Path $hv.home (-join $body) } else { hvDeny 'UnknownTag' 'InvalidArgument' "$tag" }
    }
}
function hvNoProperty($s, $path) { hvDeny 'RefNoSuchProperty' 'InvalidArgument' "$($s.cmdlet): no object has the property $($path -join '.')" }
# What a ref or a guard asks for, as a table in $hv.v: the objects of a step that match, as many as are expected.
function hvMatch($q, $least, $most, $id) {
    $s = $hv.steps[$q.step]; $found = @{}; $has = @{}; $where = $q.where
    if ($s.skipped) { hvHalt $s.skipped } elseif ($s.errors.Count -and ($hv.change -or -not $s.objects.Count)) { hvHalt 'errors' @(hvOf $s) }
    $all = $s.objects; if ($q.within) { $all = @{}; for ($i = 0; $i -lt $s.objects.Count; $i++) { if (hvAt $s.objects[$i] $q.within) { foreach ($x in $hv.v) { $all[$all.Count] = $x } } else { hvNoProperty $s $q.within } } }
    for ($i = 0; $i -lt $all.Count; $i++) { $fits = $true
        foreach ($w in $where) {
            if (-not (hvAt $all[$i] $w[0])) { $fits = $fits -and $q.lenient; continue }
            $has[($w[0] -join '.')] = $true; $t = "$($hv.v)"; $wanted = -join $w[1] # a third item: it may begin otherwise, or is to match
            $fits = $fits -and $(if ('match' -eq "$($w[2])") { $t -match $wanted } else { ($w[2] -or $t.Length -eq $wanted.Length) -and $t.EndsWith($wanted, 'OrdinalIgnoreCase') })
        }; if ($fits) { $found[$found.Count] = $all[$i] }
    }
    foreach ($w in $where) { if ($i -and -not $q.lenient -and -not $has[($w[0] -join '.')]) { hvNoProperty $s $w[0] } } # one misspelt would look like "no match"
    $shown = if ($where) { @(foreach ($w in $where) { "$($w[0] -join '.') = $(-join $w[1])" }) -join ' and ' } else { 'it' }
    $text = "$($s.cmdlet): $($found.Count) of $i objects match $shown; $least to $most expected"
    if ($found.Count -lt $least -or $found.Count -gt $most) { hvDeny $(if ($id) { $id } elseif ($found.Count) { 'RefAmbiguous' } else { 'RefNoMatch' }) 'ObjectNotFound' $text }
    $hv.v = $found
}
function hvRef($ref, $each) {
    if ($ref.many) { hvMatch $ref 0 ([int]::MaxValue) } else { hvMatch $ref 1 1 }
    $found = $hv.v; $flat = @{}; for ($i = 0; $i -lt $found.Count; $i++) {
        if ($ref.path) { if (hvAt $found[$i] $ref.path) { $found[$i] = $hv.v } else { hvNoProperty $hv.steps[$ref.step] $ref.path } }
        if ($ref.many) { foreach ($x in $found[$i]) { if ($null -ne $x) { $flat[$flat.Count] = $x } } }
    }
    if (-not $ref.many) { $hv.v = $found[0] } elseif ($flat.Count -or $each) { $hv.v = @(hvArray $flat) } else { hvHalt 'none' }
}
# Asks a guard that is not fulfilled again, every 2 s, with all that its step refers to.
function hvAwait($guard, $mine) {
    for ($waited = 0; $waited -lt $guard.wait; $waited += 2) {
        try { return hvMatch $guard $guard.least $guard.most 'GuardFailed' } catch { if ($hv.why -ne 'errors' -or $hv.errors[0].id -ne 'GuardFailed') { throw } }
        if ($waited % 20 -eq 0) { hvFrame 'progress' ($mine + ',"msg":"waits for what it needs"') }
        Start-Sleep -Seconds 2; foreach ($n in $guard.again) { hvStep $hv.steps[$n].step }; $hv.step = $mine; $hv.why = ''
    }
}
function hvCommand($name) {
    if ($hv.commands[$name]) { return }
    if (-not ($entry = $hv.allow.PSObject.Properties[$name])) { hvDeny 'CommandNotAllowed' 'PermissionDenied' "$name is not a command the runner may call" }
    $errors = @(); $text = 'this host does not have the command'
    try { if (-not (Get-Module -Name $entry.Value)) { Import-Module -Name $entry.Value -ErrorAction Stop } } catch { $errors = @(hvRecord $_) }
    $c = @(Get-Command -Name "$($entry.Value)\$name" -CommandType Cmdlet, Function -ErrorAction SilentlyContinue)[0] # qualified by its module: other products export the same names
    $absent = hvOwn 'CommandNotFoundException' 'ObjectNotFound' $text "[""System.Management.Automation.CommandNotFoundException"",-2146233087,""$text""]"
    if (-not $c -or $c.ModuleName -ne $entry.Value -or $c.Name -ne $name) { hvHalt 'errors' (@($absent) + $errors) }
    # A function without it takes any parameter, ErrorAction too, and ignores it.
    if ("$($c.CommandType)" -eq 'Function' -and -not $c.CmdletBinding) { hvDeny 'NoCmdletBinding' 'InvalidType' "$name does not check its parameters" }
    $hv.commands[$name] = $c
}
function hvTake($step, $r, $o, $tag) {
    if ($null -eq $o) { return } elseif ($o -is [Management.Automation.ErrorRecord]) { return hvAdd $r (hvRecord $o) $tag }
    if ($o -is [Management.Automation.WarningRecord]) { if ($r.warnings.Count -lt 100) { $r.warnings[$r.warnings.Count] = "$o" }; return }
    if ($step.job -and $o -is [Management.Automation.Job]) { $hv.job = $o; return }
    $r.objects[$r.objects.Count] = $o; if (-not $step.select) { return }
    $row = hvRow $o $step.select
    if ($tag) { $row = ('{"$each"' + $tag.Substring(8) + ',' + $row.Substring(1)).Replace(',}', '}') }
    if (-not $hv.buffer) { $hv.since = [datetime]::UtcNow }; $hv.buffer += ',' + $row; $r.rows++
    if ($hv.buffer.Length -gt 30000 -or ([datetime]::UtcNow - $hv.since).TotalSeconds -gt 1) { hvFlush } # by age: a slow source shows life
}
function hvCall($step, $r, $params, $tag) {
    $call = $hv.commands[$step.cmdlet]; $hv.job = $null; $returned = $false; do { # a break or continue that escapes a called function ends this loop, not the runner's
        try { & $call @params 2>&1 3>&1 | ForEach-Object { hvTake $step $r $_ $tag }; if ($hv.job) { hvWait $step $r $hv.job } }
        catch { hvAdd $r (hvRecord $_) $tag }; $returned = $true
    } while ($false); if (-not $returned) { hvAdd $r (hvOwn 'BrokenOff' 'InvalidResult' "$($step.cmdlet) broke off the pipeline") $tag }
}
function hvWait($step, $r, $job) {
    $shown = -1; $late = hvOwn 'TimedOut' 'OperationTimeout' "not done after $($step.limit_s) s; it goes on on the host"
    for ($waited = 0; 'NotStarted', 'Running' -contains "$($job.State)"; $waited += 2) {
        if ($step.limit_s -and $waited -ge $step.limit_s) { return hvAdd $r $late }
        $last = if ($job.Progress.Count) { $job.Progress[$job.Progress.Count - 1] } # by index: its enumerator waits for more
        if ([int]$last.PercentComplete -ne $shown -or $waited - $said -ge 20) {
            $shown = [int]$last.PercentComplete; $said = $waited; if ($hv.lease) { try { hvLasts } catch { } }; hvFrame 'progress' ($hv.step + ",""pct"":$shown,""msg"":$(hvText "$($last.Activity)")")
        }; Start-Sleep -Seconds 2
    }
    Receive-Job -Job $job -WarningAction Continue 2>&1 3>&1 | ForEach-Object { hvTake $step $r $_ }
    if ("$($job.State)" -ne 'Completed' -and -not $r.errors.Count) { hvAdd $r (hvOwn "Job$($job.State)" 'OperationStopped' "$($job.JobStateInfo.Reason.Message)") }
}
function hvCalls($step, $r, $params) {
    if (-not $step.each) { return hvCall $step $r $params }
    $asked = @{}; $values = $params[$step.each]; $endless = "$($step.follow -join '.') was followed 64 times without an end"
    for ($round = 1; $values.Count; $round++) {
        if ($round -gt 64) { return hvAdd $r (hvOwn 'FollowedTooFar' 'LimitsExceeded' $endless) } else { $first = $r.objects.Count }
        foreach ($value in $values) {
            if ($value -is [string]) { if ($asked[$value]) { continue }; $asked[$value] = $true }
            $params[$step.each] = $value; hvCall $step $r $params (',"value":' + (hvJson $value))
        }
        $values = @(for ($i = $first; $step.follow -and $i -lt $r.objects.Count; $i++) {
            if ((hvAt $r.objects[$i] $step.follow) -and $hv.v -is [string] -and $hv.v -and -not $asked[$hv.v]) { $hv.v }
        })
    }
}
function hvInstead($step, $r) { # by assignment, what the call was refused for a reason that says that it has done nothing
    $id = "$($r.errors[0].id)"; if (-not @($step.instead.errors | Where-Object { $id.StartsWith($_, 'OrdinalIgnoreCase') })) { return }
    try { hvRef $step.instead.to; $object = $hv.v; foreach ($pair in $step.instead.set) { hvValue $pair[1]; $name = -join $pair[0]
            if ($hv.v -is [array]) { $list = New-Object Collections.Specialized.StringCollection; foreach ($x in $hv.v) { $null = $list.Add($x) }; $hv.v = $list }; $object.$name = $hv.v }
        $r.errors = @{}; $r.warnings[$r.warnings.Count] = "$($step.cmdlet) was refused ($id): set by assignment instead" } catch { if ($hv.why) { foreach ($e in $hv.errors) { hvAdd $r $e } } else { hvAdd $r (hvRecord $_) } } }
function hvPrepare($step, $params) {
    if (Test-Path -LiteralPath $hv.stop) { hvHalt 'stopped' } elseif ([datetime]::UtcNow -gt $hv.deadline) { hvHalt 'deadline' }
    foreach ($n in $step.needs) { if ($hv.steps[$n].skipped -or $hv.steps[$n].errors.Count) { hvHalt "needs $n" } }
    hvCommand $step.cmdlet; if ($step.guard.wait) { hvAwait $step.guard $hv.step }
    foreach ($p in $step.params.PSObject.Properties) { hvValue $p.Value ($p.Name -eq $step.each); $params[$p.Name] = $hv.v }
    $params['ErrorAction'] = $(if ($hv.change) { 'Stop' } else { 'Continue' }); $params['WarningAction'] = 'Continue'; if ($step.job) { $params['AsJob'] = $true }
    if ($step.guard) { hvMatch $step.guard $step.guard.least $step.guard.most 'GuardFailed' }
    if (-not $step.quiet) { hvJournal """at"":""before""$($hv.step),""cmdlet"":""$($step.cmdlet)""" }
}
function hvStep($step) {
    $r = $hv.steps[$step.id] = @{ step = $step; cmdlet = $step.cmdlet; objects = @{}; errors = @{}; warnings = @{}; rows = 0; none = $false; skipped = '' }
    $began = [datetime]::UtcNow; $params = [ordered]@{}; $hv.step = ',"step":' + (hvText $step.id); $hv.why = ''
    try { hvPrepare $step $params } catch {
        if (-not $hv.why) { hvAdd $r (hvRecord $_) } elseif ($hv.why -eq 'none') { $r.none = $true }
        elseif ($hv.why -eq 'errors') { foreach ($e in $hv.errors) { hvAdd $r $e } } else { $r.skipped = $hv.why }
    }
    if ($r.skipped) { if (-not $step.quiet) { hvFrame 'skipped' ($hv.step + ',"why":' + (hvText $r.skipped)) }; return }; if (-not $step.quiet) { hvFrame 'start' $hv.step }
    if (-not $r.none -and -not $r.errors.Count) {
        for ($w = 0; $true; $w += 2) { hvCalls $step $r $params; if (-not $step.retry -or $w -ge $step.retry.limit -or -not "$($r.errors[0].id)".StartsWith($step.retry.id, 'Ordinal') -or (Test-Path -LiteralPath $hv.stop)) { break }
            if ($w % 20 -eq 0) { hvFrame 'progress' ($hv.step + ',"msg":"waits until it is possible"') }; $r.errors = @{}; Start-Sleep -Seconds 2 } # where what it refers to was read in part only, so is its own answer:
        if ($step.instead -and $hv.full -and $r.errors.Count) { hvInstead $step $r }; foreach ($n in $step.uses) { foreach ($e in @(hvOf $hv.steps[$n])) { hvAdd $r $e } } }
    hvFlush; if ($step.quiet) { return }
    $ok = hvJson (-not $r.errors.Count); $errors = @(foreach ($e in @(hvArray $r.errors)) { '{' + $e.json + '}' }) -join ','
    try { hvJournal """at"":""after""$($hv.step),""ok"":$ok,""error"":$(hvJson $r.errors[0].id)" } catch { }
    hvFrame 'result' ($hv.step + ",""ok"":$ok,""ms"":$([int]([datetime]::UtcNow - $began).TotalMilliseconds),""count"":$($r.rows)" +
        ",""none"":$(hvJson $r.none),""warnings"":$(hvList @(hvArray $r.warnings)),""errors"":[$errors]")
}
function hvJournal($text) {
    if (-not $hv.change) { return }; $entry = "{$text,""time"":""$([datetime]::UtcNow.ToString('o'))""}"
    if (-not $hv.full) { return Add-Content -LiteralPath $hv.journal -Value $entry -Encoding Ascii -ErrorAction Stop }
    $bytes = [Text.Encoding]::ASCII.GetBytes("$entry`r`n") # written through: the machine may go down in the next step
    $to = New-Object IO.FileStream $hv.journal, ([IO.FileMode]::Append), ([IO.FileAccess]::Write), ([IO.FileShare]::Read), 4096, ([IO.FileOptions]::WriteThrough)
    try { $to.Write($bytes, 0, $bytes.Length) } finally { $to.Dispose() }
}
function hvHome { # makes hvctl's own folder, for administrators, the system and who makes it
    if (Test-Path -LiteralPath $hv.home) { return } else { $null = New-Item -Path $hv.home -ItemType Directory -Force -ErrorAction Stop }
    if ($hv.full) { try {
        $acl = New-Object Security.AccessControl.DirectorySecurity; $me = [Security.Principal.WindowsIdentity]::GetCurrent().User.Value
        $acl.SetSecurityDescriptorSddlForm("D:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;FA;;;$me)"); [IO.Directory]::SetAccessControl($hv.home, $acl)
    } catch { "hvctl: $($hv.home) keeps its default rights: $_" } }
}
# Who may change this host across several batches, in a file: another's that has not run out keeps others out. Called under the lock.
function hvLease($l) {
    $file = Join-Path $hv.home 'lease.json'; $now = [datetime]::UtcNow.ToString('yyyyMMddHHmmss'); $hv.holder = ''
    if (Test-Path -LiteralPath $file) { $hv.holder = "$(Get-Content -LiteralPath $file -ErrorAction Stop)" }
    $id = if ($hv.holder -match '"lease":"([^"]*)"') { $Matches[1] }; $until = if ($hv.holder -match '"until":"(\d+)"') { $Matches[1] }
    if ($l.do -eq 'release') { if ($id -eq $l.id) { Remove-Item -LiteralPath $file }; return }
    if ($l.do -eq 'keep' -and $id -ne $l.id) { hvHalt 'lease' }
    if ($id -and $id -ne $l.id -and $id -ne $l.over -and $until -gt $now) { hvHalt 'locked' } elseif ($l) { $hv.lease = $l; hvLasts }
}
function hvLasts {
    $until = [datetime]::UtcNow.AddSeconds([int]$hv.lease.s).ToString('yyyyMMddHHmmss')
    $text = "{""lease"":$(hvText "$($hv.lease.id)"),""until"":""$until"",""owner"":$(hvText "$($hv.lease.owner)")," + $hv.me.Substring(1)
    Set-Content -LiteralPath (Join-Path $hv.home 'lease.json') -Value $text -Encoding ASCII -ErrorAction Stop
}
function hvOpen { # takes the lock and begins the journal
    $file = Join-Path $hv.home 'apply.lock'; $n = 0; $old = [datetime]::UtcNow.AddDays(-7); hvHome
    if (-not (Test-Path -LiteralPath $hv.journals)) { $null = New-Item -Path $hv.journals -ItemType Directory -Force -ErrorAction Stop }
    $hv.me = $me = "{""user"":$(hvText "$env:USERNAME"),""client"":$(hvText "$($b.client)"),""pid"":$PID,""batch_id"":""$($hv.id)"",""since"":""$([datetime]::UtcNow.ToString('o'))""}"
    for ($try = 0; -not $hv.lock; $try++) {
        try {
            if (-not $hv.full) { $null = New-Item -Path $file -ItemType File -Value $me -ErrorAction Stop; $hv.lock = $file; break }
            $hv.lock = [IO.File]::Open($file, 'OpenOrCreate', 'Write', 'Read'); $hv.lock.SetLength(0)
            $bytes = [Text.Encoding]::ASCII.GetBytes($me); $hv.lock.Write($bytes, 0, $bytes.Length); $hv.lock.Flush()
        } catch {
            if (-not (Test-Path -LiteralPath $file)) { throw }; $hv.holder = try { "$(Get-Content -LiteralPath $file -ErrorAction Stop)" } catch { '' }
            $owner = if ($hv.holder -match '"pid":(\d+)') { [int]$Matches[1] } # a file alone outlives its process, an open one does not
            if ($hv.full -or $try -or -not $owner -or (Get-Process -Id $owner -ErrorAction SilentlyContinue)) { hvHalt 'locked' }
            Remove-Item -LiteralPath $file
        }
    }
    hvLease $b.lease; hvJournal '"at":"begin"'
    Get-ChildItem -LiteralPath $hv.journals | Sort-Object LastWriteTimeUtc -Descending | ForEach-Object {
        if (++$n -gt 500 -or $_.LastWriteTimeUtc -lt $old) { Remove-Item -LiteralPath $_.FullName -ErrorAction SilentlyContinue }
    }
}
function hvBatch($b) {
    $hv.change = $b.mode -eq 'change'; $hv.steps = @{}; $hv.buffer = ''; $hv.why = ''; $hv.lock = $hv.lease = $null
    $hv.stop = Join-Path $hv.home "$($hv.id).stop"; $hv.journal = Join-Path $hv.journals "$($hv.id).jsonl"
    $hv.deadline = [datetime]::UtcNow.AddSeconds([int]$b.deadline_s); $known = $hv.change -and (Test-Path -LiteralPath $hv.journal)
    if ($known -or $hv.seen[$hv.id]) { return hvFrame 'refused' ',"code":"duplicate","why":"this batch was here before"' }
    try {
        if ($hv.change) { hvOpen }; $hv.seen[$hv.id] = $true; $hv.hold = -not $hv.change; hvFrame 'accepted'
        foreach ($step in $b.steps) { hvStep $step }; hvFrame 'end' ",""ok"":$(hvJson ($hv.steps.Count -eq $b.steps.Count))"
    } catch {
        if ($hv.n) { hvFrame 'fatal' ",""why"":$(hvText "$_")" }
        elseif ($hv.why -eq 'lease') { hvFrame 'refused' ",""code"":""lease"",""why"":""the lease is not there any more""" }
        elseif ($hv.why) { hvFrame 'refused' ",""code"":""locked"",""why"":""another apply is running"",""holder"":$(hvText $hv.holder)" }
        else { hvFrame 'refused' ",""code"":""journal"",""why"":$(hvText "the journal cannot be written: $_")" }
    } finally {
        $hv.hold = $false; if ($hv.lock -and (Test-Path -LiteralPath $hv.journal)) { try { hvJournal '"at":"end"' } catch { } }; if ($hv.lock -and $hv.full) { $hv.lock.Dispose() } elseif ($hv.lock) { Remove-Item -LiteralPath $hv.lock }
        if (Test-Path -LiteralPath $hv.stop) { Remove-Item -LiteralPath $hv.stop }
    }
}
function hvLine($line) {
    if ($hv.put -and $line.StartsWith('@put ')) { return hvPut $line }; $hv.id = '-'; $hv.n = 0; $b = $null; $e = $null; $sha = ''
    try { $e = ConvertFrom-Json $line } catch { }; $p = $e.p; $id = "$($e.batch_id)"
    if ($hv.full -and $p -is [string]) { $sha = (New-Object Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash([Text.Encoding]::ASCII.GetBytes($p)) }
    $why = if ($null -eq $e.v -or $null -eq $p -or -not $id) { 'not an envelope' } elseif ($e.v -ne 1) { 'version' }
        elseif ($p -isnot [string] -or $p.Length -ne $e.len) { 'length' } elseif ($hv.full -and (-join @(foreach ($n in $sha) { $n.ToString('x2') })) -ne $e.sha256) { 'sha256' }
        elseif ($id -cnotmatch '^[A-Za-z0-9-]{1,64}$' -or -not $p.EndsWith("""batch_id"":""$id""}", 'Ordinal')) { 'cut' }
        else { try { $b = ConvertFrom-Json $p } catch { }; if ('journal', 'stop', $hv.stages -notcontains $b.action -and -not $b.steps -and -not $b.lease) { 'not a batch' } }
    if ($why) { return hvFrame 'refused' ",""code"":""envelope"",""why"":""$why""" }
    $hv.id = $id; $of = "$($b.of)" -replace '[^A-Za-z0-9-]'; $old = Join-Path $hv.journals "$of.jsonl"; if ($b.steps -or $b.lease) { return hvBatch $b } else { hvFrame 'accepted' }
    if ($b.action -eq 'stage') { hvStage $b } elseif ($b.action -eq 'stop') { $null = New-Item -Path (Join-Path $hv.home "$of.stop") -ItemType File -Force -ErrorAction SilentlyContinue }
    else { hvFrame 'journal' ",""lines"":$(hvList @(Get-Content -LiteralPath $old -ErrorAction SilentlyContinue))" }
    hvFrame 'end' ',"ok":true'
}
