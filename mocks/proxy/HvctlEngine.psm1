# Compiled proxy cmdlets for a real PowerShell engine, made from a description; every bound call goes to Python.
# Runs in PowerShell 7 only, in full language, before the language may be lowered.
using namespace System.Reflection
using namespace System.Reflection.Emit
using namespace System.Management.Automation

$script:client = [Net.Sockets.TcpClient]::new('127.0.0.1', [int]$env:HVCTL_ENGINE_PORT)
$script:client.NoDelay = $true
$script:out = [IO.StreamWriter]::new($client.GetStream(), [Text.UTF8Encoding]::new($false))
$script:in = [IO.StreamReader]::new($client.GetStream(), [Text.UTF8Encoding]::new($false))
$script:types = [Collections.Generic.Dictionary[string, type]]::new([StringComparer]::Ordinal)
$script:things = @{}
$script:parts = @{}
$script:jobs = @{}

function Ask($request) {
    $out.Write([Newtonsoft.Json.JsonConvert]::SerializeObject($request) + "`n")
    $out.Flush()
    $reader = [Newtonsoft.Json.JsonTextReader]::new([IO.StringReader]::new($in.ReadLine()))
    $reader.DateParseHandling = 'None'
    , [Newtonsoft.Json.Linq.JObject]::Load($reader)
}

# --- types --------------------------------------------------------------------------------------------------------------
function NewModule($name) {
    [AssemblyBuilder]::DefineDynamicAssembly([AssemblyName]::new($name), 'Run').DefineDynamicModule($name)
}
function Attach($builder, [type]$attribute, [object[]]$arguments, $properties = @{}) {
    $signature = [type[]]@($arguments | ForEach-Object { $_.GetType() })
    $constructor = $attribute.GetConstructor($signature)
    $names = [PropertyInfo[]]@($properties.Keys | ForEach-Object { $attribute.GetProperty($_) })
    $values = [object[]]@($properties.Keys | ForEach-Object { $properties[$_] })
    $builder.SetCustomAttribute([CustomAttributeBuilder]::new($constructor, $arguments, $names, $values))
}
function NewThing($module) {
    # What stands for an object of the host: its handle, and what it prints as.
    $t = $module.DefineType('Hvctl.Thing', 'Public,Class')
    $null = $t.DefineField('__handle', [long], 'Public')
    $text = $t.DefineField('__text', [string], 'Public')
    $il = $t.DefineMethod('ToString', 'Public,Virtual,HideBySig', [string], @()).GetILGenerator()
    $plain = $il.DefineLabel()
    $il.Emit([OpCodes]::Ldarg_0); $il.Emit([OpCodes]::Ldfld, $text); $il.Emit([OpCodes]::Dup)
    $il.Emit([OpCodes]::Brfalse_S, $plain); $il.Emit([OpCodes]::Ret); $il.MarkLabel($plain); $il.Emit([OpCodes]::Pop)
    $il.Emit([OpCodes]::Ldarg_0); $il.Emit([OpCodes]::Call, [object].GetMethod('ToString')); $il.Emit([OpCodes]::Ret)
    $t.CreateType()
}
function NewEnum($module, $spec) {
    $e = $module.DefineEnum($spec.name, 'Public', [int])
    if ($spec.flags) { Attach $e ([FlagsAttribute]) @() }
    foreach ($m in $spec.members) { $null = $e.DefineLiteral([string]$m[0], [int]$m[1]) }
    $e.CreateType()
}
function NewException($name) {
    if ($types.ContainsKey($name)) { return $types[$name] }
    $found = $name -as [type]
    if ($found -and $found.GetConstructor(@([string], [Exception]))) { $types[$name] = $found; return $found }
    $t = $typeModule.DefineType($name, 'Public,Class', [Exception])
    $il = $t.DefineConstructor('Public', 'Standard', @([string], [Exception])).GetILGenerator()
    $il.Emit([OpCodes]::Ldarg_0); $il.Emit([OpCodes]::Ldarg_1); $il.Emit([OpCodes]::Ldarg_2)
    $il.Emit([OpCodes]::Call, [Exception].GetConstructor(@([string], [Exception]))); $il.Emit([OpCodes]::Ret)
    $types[$name] = $t.CreateType()
    $types[$name]
}
function NewJobType($module) {
    $t = $module.DefineType('Hvctl.HostJob', 'Public,Class', [Job])
    $null = $t.DefineDefaultConstructor('Public')
    foreach ($p in @(, @('HasMoreData', [bool])) + @(, @('Location', [string])) + @(, @('StatusMessage', [string]))) {
        $il = $t.DefineMethod("get_$($p[0])", 'Public,Virtual,HideBySig,SpecialName', $p[1], @()).GetILGenerator()
        if ($p[1] -eq [bool]) { $il.Emit([OpCodes]::Ldc_I4_1) } else { $il.Emit([OpCodes]::Ldstr, '') }
        $il.Emit([OpCodes]::Ret)
    }
    $t.DefineMethod('StopJob', 'Public,Virtual,HideBySig', [void], @()).GetILGenerator().Emit([OpCodes]::Ret)
    $base = [Job].GetMethod('SetJobState', [BindingFlags]'Instance,NonPublic', $null, [type[]]@([JobState]), $null)
    $il = $t.DefineMethod('Become', 'Public,HideBySig', [void], @([JobState])).GetILGenerator()
    $il.Emit([OpCodes]::Ldarg_0); $il.Emit([OpCodes]::Ldarg_1); $il.Emit([OpCodes]::Call, $base); $il.Emit([OpCodes]::Ret)
    $t.CreateType()
}
function TypeOf($name, $nullable) {
    $array = $name.EndsWith('[]')
    $element = $name -replace '\[\]$'
    $t = if ($types.ContainsKey($element)) { $types[$element] } else { $element -as [type] }
    if (-not $t) { $t = [object] }
    if ($nullable -and $t.IsValueType) { $t = [Nullable`1].MakeGenericType($t) }
    if ($array) { $t.MakeArrayType() } else { $t }
}

# --- cmdlets ------------------------------------------------------------------------------------------------------------
function NewBase($module) {
    # A cmdlet that hands itself to one script block.
    $t = $module.DefineType('Hvctl.ProxyCmdlet', 'Public,Class,Abstract', [PSCmdlet])
    $run = $t.DefineField('Run', [Action[PSCmdlet]], 'Public,Static')
    $il = $t.DefineMethod('ProcessRecord', 'Family,Virtual,HideBySig', [void], @()).GetILGenerator()
    $il.Emit([OpCodes]::Ldsfld, $run); $il.Emit([OpCodes]::Ldarg_0)
    $il.Emit([OpCodes]::Callvirt, [Action[PSCmdlet]].GetMethod('Invoke')); $il.Emit([OpCodes]::Ret)
    $t.CreateType()
}
function NewCmdlet($module, $spec) {
    $t = $module.DefineType($spec.class, 'Public,Class', $types['Hvctl.ProxyCmdlet'])
    $more = @{}
    if ($spec.default) { $more.DefaultParameterSetName = [string]$spec.default }
    if ($spec.impact) { $more.SupportsShouldProcess = $true; $more.ConfirmImpact = [ConfirmImpact]$spec.impact }
    Attach $t ([CmdletAttribute]) @([string]$spec.verb, [string]$spec.noun) $more
    foreach ($p in $spec.params) { AddParameter $t $p }
    $t.CreateType()
}
function AddParameter($t, $p) {
    $field = $t.DefineField($p.name, (TypeOf $p.type $p.nullable), 'Public')
    foreach ($s in $p.sets) {
        $more = @{}
        if ($s.set -ne '*') { $more.ParameterSetName = [string]$s.set }
        if ($s.mandatory) { $more.Mandatory = $true }
        if ($null -ne $s.position) { $more.Position = [int]$s.position }
        if ($s.value) { $more.ValueFromPipeline = $true }
        if ($s.property) { $more.ValueFromPipelineByPropertyName = $true }
        Attach $field ([ParameterAttribute]) @() $more
    }
    if ($p.aliases) { Attach $field ([AliasAttribute]) (, [string[]]$p.aliases) }
    if ($p.values) { Attach $field ([ValidateSetAttribute]) (, [string[]]$p.values) }
    if ($p.range) { Attach $field ([ValidateRangeAttribute]) @((Bound $p $p.range[0]), (Bound $p $p.range[1])) }
    if ($p.reject -eq 'null') { Attach $field ([ValidateNotNullAttribute]) @() }
    if ($p.reject -eq 'null_or_empty') { Attach $field ([ValidateNotNullOrEmptyAttribute]) @() }
    if ($p.ps_type) { Attach $field ([PSTypeNameAttribute]) @([string]$p.ps_type) }
    foreach ($a in $p.allow) { Attach $field ("System.Management.Automation.Allow$($a)Attribute" -as [type]) @() }
}
function Bound($p, $number) { $number -as ($p.type -as [type]) }

# A function stands for a cmdlet that is one on the host (CDXML): it converts its arguments in another way.
function FunctionText($spec) {
    $lines = foreach ($p in $spec.params) {
        foreach ($s in $p.sets) {
            $more = @()
            if ($s.set -ne '*') { $more += "ParameterSetName = '$($s.set)'" }
            if ($s.mandatory) { $more += 'Mandatory = $true' }
            if ($null -ne $s.position) { $more += "Position = $($s.position)" }
            "[Parameter($($more -join ', '))]"
        }
        if ($p.aliases) { "[Alias('$($p.aliases -join "', '")')]" }
        if ($p.values) { "[ValidateSet('$($p.values -join "', '")')]" }
        $t = TypeOf $p.type $p.nullable
        "[$($t.ToString() -replace '`1\[', '[' -replace '\+', '.')]`${$($p.name)},"
    }
    $more = @()
    if ($spec.default) { $more += "DefaultParameterSetName = '$($spec.default)'" }
    if ($spec.impact) { $more += "SupportsShouldProcess = `$true, ConfirmImpact = '$($spec.impact)'" }
    $head = "[CmdletBinding($($more -join ', '))]"
    $body = ($lines -join "`n") -replace ',$'
    "function $($spec.verb)-$($spec.noun) {`n$head`nparam(`n$body`n)`nprocess { & `$HvctlRun `$PSCmdlet } }"
}

# --- calls --------------------------------------------------------------------------------------------------------------
$script:common = 'ErrorAction', 'WarningAction', 'InformationAction', 'Verbose', 'Debug', 'ErrorVariable', 'WarningVariable',
    'InformationVariable', 'OutVariable', 'OutBuffer', 'PipelineVariable', 'ProgressAction'
function ToWire($v) {
    if ($null -eq $v) { return $null }
    $v = $v.PSObject.BaseObject
    if ($v -is [Hvctl.Thing]) { @{ h = $v.__handle } }
    elseif ($v -is [enum]) { @{ e = @($v.GetType().FullName, "$v", [long]$v) } }
    elseif ($v -is [string] -or $v -is [bool]) { $v }
    elseif ($v -is [switch]) { $v.IsPresent }
    elseif ($v -is [timespan]) { @{ s = $v.Ticks } }
    elseif ($v -is [datetime]) { @{ d = $v.ToUniversalTime().ToString('o') } }
    elseif ($v -is [decimal] -and $v -eq [math]::Truncate($v)) { [bigint]$v }
    elseif ($v -is [guid] -or $v -is [version] -or $v -is [uri] -or $v -is [char]) { "$v" }
    elseif ($v -is [Collections.IDictionary]) { @{ m = @(foreach ($k in $v.Keys) { , @("$k", (ToWire $v[$k])) }) } }
    elseif ($v -is [PSCustomObject] ) { @{ h = $v.__handle } }
    elseif ($v -is [Collections.IEnumerable]) {
        $list = [Collections.ArrayList]::new()
        foreach ($i in $v) { if ($i -and $i.PSObject.Properties['__handle'] ) { $null = $list.Add(@{ h = $i.__handle }) } else { $null = $list.Add((ToWire $i)) } }
        , $list
    } else { $v }
}
function FromWire($w) {
    if ($w -is [Newtonsoft.Json.Linq.JValue]) {
        $v = $w.Value
        if ($v -is [long]) { if ($v -ge [int]::MinValue -and $v -le [int]::MaxValue) { return [int]$v } }
        elseif ($v -is [System.Numerics.BigInteger]) { return [uint64]$v }
        return $v
    }
    if ($w -is [Newtonsoft.Json.Linq.JArray]) {
        $list = [Collections.ArrayList]::new()
        foreach ($i in $w) { $null = $list.Add((FromWire $i)) }
        return , $list.ToArray()
    }
    if ($null -ne $w['h']) { return ThingOf $w }
    if ($null -ne $w['e']) { return EnumOf ([string]$w['e'][0]) ([string]$w['e'][1]) ([long]$w['e'][2]) }
    if ($null -ne $w['g']) { return [guid][string]$w['g'] }
    if ($null -ne $w['s']) { return [timespan]::new([long]$w['s']) }
    if ($null -ne $w['d']) { return [datetime]::Parse([string]$w['d'], [cultureinfo]::InvariantCulture, 'RoundtripKind') }
    throw "unknown value: $w"
}
function EnumOf($type, $name, $number) {
    $t = if ($types.ContainsKey($type)) { $types[$type] } else { $type -as [type] }
    if ($t -and $t.IsEnum) {
        $v = [enum]::ToObject($t, $number)
        if ("$v" -ceq $name) { return $v }
    }
    # One that the contract does not know: made for this value alone, so that it prints as it should.
    $key = "$type#$name"
    $names = @($name -split ', ')
    if (-not $types.ContainsKey($key)) {
        $bit = 1
        $members = @(foreach ($n in $names) { , @($n, $bit); $bit *= 2 })
        $types[$key] = NewEnum $typeModule @{ name = "Hvctl.Values.E$($types.Count)"; members = $members; flags = $true }
    }
    [enum]::ToObject($types[$key], [int][math]::Pow(2, $names.Count) - 1)
}
$script:getter = { throw 'this getter throws' }
function ThingOf($w) {
    $handle = [long]$w['h']
    if ($things.ContainsKey($handle)) { return $things[$handle] }
    $name = [string]$w['t']
    if ($types.ContainsKey($name)) {
        $thing = [Activator]::CreateInstance($types[$name])
    } else {
        $thing = [Hvctl.Thing]::new()
    }
    $thing.__handle = $handle
    if ([string]$w['x']) { $thing.__text = [string]$w['x'] } elseif ($thing.GetType().FullName -ne $name) { $thing.__text = $name }
    $o = [psobject]::new($thing)
    if ($o.PSObject.TypeNames[0] -ne $name) { $o.PSObject.TypeNames.Insert(0, $name) }
    $things[$handle] = $o
    $all = $o.PSObject.Properties
    $set = $null -ne $w['a']
    foreach ($p in $w['p']) {
        $name = [string]$p[0]
        if ($p.Count -eq 1) { $all.Add([PSScriptProperty]::new($name, $getter), $true); continue }
        # Most values are plain or enums: they stand here, since a call of a function costs more than all the rest.
        $v = $p[1]
        if ($v -is [Newtonsoft.Json.Linq.JValue]) {
            $v = $v.Value
            if ($v -is [long]) { if ($v -ge [int]::MinValue -and $v -le [int]::MaxValue) { $v = [int]$v } }
            elseif ($v -is [System.Numerics.BigInteger]) { $v = [uint64]$v }
        } elseif ($v -is [Newtonsoft.Json.Linq.JArray]) { $v = FromWire $v }
        elseif ($null -ne ($e = $v['e'])) {
            $key = "$e"
            $v = $enums[$key]
            if ($null -eq $v) { $v = $enums[$key] = EnumOf ([string]$e[0]) ([string]$e[1]) ([long]$e[2]) }
        } elseif ($null -ne $v['l']) {
            if (-not $getters[$name]) { $ask = $later; $getters[$name] = { & $ask $this $name }.GetNewClosure() }
            $all.Add([PSScriptProperty]::new($name, $getters[$name]), $true)
            continue
        } else { $v = FromWire $v }
        if ($set) { $all.Add((Assignable $handle $name $v), $true) } else { $all.Add([PSNoteProperty]::new($name, $v), $true) }
    }
    $o
}
# A property that stores on the host what is assigned to it.
$script:assign = {
    param($handle, $name, $value)
    $answer = Ask @{ do = 'assign'; of = $handle; name = $name; value = (ToWire $value) }
    foreach ($e in $answer['errors']) { throw (RecordOf $e '') }
}
function Assignable($handle, $name, $value) {
    $kept = @{ v = $value }
    $store = $assign
    $get = { , $kept.v }.GetNewClosure()
    $put = { param($v) & $store $handle $name $v; $kept.v = $v }.GetNewClosure()
    [PSScriptProperty]::new($name, $get, $put)
}
# The parts of a thing are fetched when they are looked at: hardly anybody does, and there are many.
$script:enums = @{}
$script:getters = @{}
$script:later = {
    param($thing, $name)
    $key = "$($thing.__handle) $name"
    if (-not $parts.ContainsKey($key)) { $parts[$key] = FromWire (Ask @{ do = 'part'; of = $thing.__handle; name = $name })['part'] }
    , $parts[$key]
}
function RecordOf($e, $suffix) {
    $inner = $null
    $chain = @($e['x'])
    for ($i = $chain.Count - 1; $i -ge 0; $i--) {
        $inner = (NewException ([string]$chain[$i][0])).GetConstructor(@([string], [Exception])).Invoke(@([string]$chain[$i][2], $inner))
        $inner.HResult = [int]$chain[$i][1]
    }
    $id = [string]$e['i']
    if ($suffix -and $id.EndsWith(",$suffix")) { $id = $id.Substring(0, $id.Length - $suffix.Length - 1) }
    $record = [ErrorRecord]::new($inner, $id, [ErrorCategory][string]$e['c'], $null)
    $target = [string]$e['a']
    if ($target) { $record.CategoryInfo.TargetName = $target }
    $record
}
function Emit($cmdlet, $answer, $suffix) {
    foreach ($w in $answer['warnings']) { $cmdlet.WriteWarning([string]$w) }
    foreach ($o in $answer['objects']) { $cmdlet.WriteObject((FromWire $o), $false) }
    foreach ($e in $answer['errors']) { $cmdlet.WriteError((RecordOf $e $suffix)) }
}
$script:run = {
    param($cmdlet)
    $bound = [Collections.ArrayList]::new()
    foreach ($pair in $cmdlet.MyInvocation.BoundParameters.GetEnumerator()) {
        if ($common -notcontains $pair.Key) { $null = $bound.Add(@($pair.Key, (ToWire $pair.Value))) }
    }
    $name = $cmdlet.MyInvocation.MyCommand.Name
    $answer = Ask @{
        do = 'call'; cmdlet = $name; set = $cmdlet.ParameterSetName; bound = $bound
        action = "$($cmdlet.MyInvocation.BoundParameters['ErrorAction'])"
    }
    $suffix = if ($cmdlet.GetType().FullName -eq 'System.Management.Automation.PSScriptCmdlet') { $name } else { $cmdlet.GetType().FullName }
    if ($null -ne $answer['job']) {
        $job = $types['Hvctl.HostJob']::new()
        $job.Name = [string]$answer['name']
        $jobs[[string]$answer['job']] = $job
        Advance $answer
        $cmdlet.WriteObject($job)
    } else { Emit $cmdlet $answer $suffix }
}
# What the jobs of the host are at.
function Advance($answer) {
    foreach ($state in $answer['jobs']) {
        $job = $jobs[[string]$state['id']]
        if (-not $job) { continue }
        if ("$($job.State)" -eq 'NotStarted') { $job.Become('Running') }
        $record = [ProgressRecord]::new(0, [string]$state['name'], 'running')
        $record.PercentComplete = [int]$state['percent']
        $job.Progress.Add($record)
        if ($null -eq $state['done']) { continue }
        foreach ($w in $state['warnings']) { $job.Warning.Add([WarningRecord]::new([string]$w)) }
        foreach ($o in $state['objects']) { $job.Output.Add((FromWire $o)) }
        foreach ($e in $state['errors']) { $job.Error.Add((RecordOf $e '')) }
        $job.Become($(if ($state['errors'].Count) { 'Failed' } else { 'Completed' }))
        $jobs.Remove([string]$state['id'])
    }
}

# --- making it --------------------------------------------------------------------------------------------------------------
$script:typeModule = NewModule 'Hvctl.Types'
$types['Hvctl.Thing'] = NewThing $typeModule
$types['Hvctl.HostJob'] = NewJobType $typeModule
$types['Hvctl.ProxyCmdlet'] = NewBase $typeModule
$types['Hvctl.ProxyCmdlet'].GetField('Run').SetValue($null, [Action[PSCmdlet]]$run)
$script:spec = [IO.File]::ReadAllText($env:HVCTL_ENGINE_SPEC) | ConvertFrom-Json
foreach ($e in $spec.enums) { $types[$e.name] = NewEnum $typeModule $e }
foreach ($c in $spec.classes) {
    $parent = if ($c.base) { $types[$c.base] } else { $types['Hvctl.Thing'] }
    $types[$c.name] = $typeModule.DefineType($c.name, 'Public,Class', $parent).CreateType()
}

# Called by the module of that name, in its own scope, with what it returns.
function Get-HvctlAssembly($name) {
    $module = NewModule "Hvctl.$name"
    $compiled = @($spec.modules.$name | Where-Object { -not $_.function })
    $made = foreach ($c in $compiled) { NewCmdlet $module $c }
    # Not the builder's own: it cannot be asked for its types.
    if ($made) { @($made)[0].Assembly }
}
function Get-HvctlFunction($name) { @($spec.modules.$name | Where-Object { $_.function } | ForEach-Object { FunctionText $_ }) -join "`n" }
function Get-HvctlRun { $run }

# --- what the runner itself uses of the machine: it must not reach the proxies ------------------------------------------------
$script:own = @{}
foreach ($name in 'Test-Path', 'Get-Content', 'Add-Content', 'Set-Content', 'New-Item', 'Remove-Item') { $own[$name] = Get-Command -Name $name -CommandType Cmdlet }
function global:Test-Path { & $own['Test-Path'] @args }
function global:Get-Content { & $own['Get-Content'] @args }
function global:Add-Content { & $own['Add-Content'] @args }
function global:Set-Content { & $own['Set-Content'] @args }
function global:New-Item { & $own['New-Item'] @args }
function global:Remove-Item { & $own['Remove-Item'] @args }
function global:Get-ChildItem { param($LiteralPath) [IO.DirectoryInfo]::new($LiteralPath).GetFileSystemInfos() }
function global:Get-Process { param($Id, $ErrorAction) if ([IO.Directory]::Exists("/proc/$Id")) { $Id } }
function global:Start-Sleep { param($Seconds) Advance (Ask @{ do = 'sleep'; seconds = $Seconds }) }
function global:Get-ItemProperty {
    param($Path, $ErrorAction)
    $hello = Ask @{ do = 'hello' }
    $things.Clear()
    $parts.Clear()
    $env:COMPUTERNAME = [string]$hello['computer']
    $env:USERDOMAIN, $env:USERNAME = ([string]$hello['user']) -split '\\', 2
    [pscustomobject]@{ ProductName = [string]$hello['caption']; CurrentBuildNumber = [string]$hello['build'] }
}
Export-ModuleMember -Function Get-Hvctl*
