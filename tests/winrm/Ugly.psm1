# Commands that behave badly on purpose, and some that take or give what real ones may.
$HvctlRun = Get-HvctlRun
function Get-Odd { [CmdletBinding()] param() process { & $HvctlRun $PSCmdlet } }
function Get-Slow { [CmdletBinding()] param() process { & $HvctlRun $PSCmdlet } }
function Set-Odd { [CmdletBinding()] param($Map, $Eject, $Flag, $List, $Text, $Many, $Path) process { & $HvctlRun $PSCmdlet } }
function Get-Many {
    [CmdletBinding()] param([int]$Count)
    for ($n = 0; $n -lt $Count; $n++) {
        [pscustomobject]@{
            P0 = 10737418240 + $n; P1 = "value $n"; P2 = 10737418240 + $n; P3 = "value $n"; P4 = 10737418240 + $n
            P5 = "value $n"; P6 = 10737418240 + $n; P7 = "value $n"; P8 = 10737418240 + $n; P9 = "value $n"
        }
    }
}
function Test-Break { [CmdletBinding()] param() 'before'; break }
function Test-Continue { [CmdletBinding()] param() 'before'; continue }
function Test-Exit { [CmdletBinding()] param() exit 7 }
function Test-Throw { [CmdletBinding()] param() 'before'; throw 'words of the host' }
function Test-Stop { [CmdletBinding()] param() throw [Management.Automation.PipelineStoppedException]::new() }
function Test-Hang { [CmdletBinding()] param() [Threading.Thread]::Sleep(60000) }
function Test-Swallow { param($Known) "ran with $args" }
function Test-Prompt { [CmdletBinding()] param() if ($PSCmdlet.ShouldContinue('sure?', 'question')) { 'yes' } else { 'no' } }
function Test-Mandatory { [CmdletBinding()] param([Parameter(Mandatory = $true)]$Name) $Name }
function Test-Consent {
    [CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')] param()
    if ($PSCmdlet.ShouldProcess('everything', 'destroy')) { 'done' } else { 'not done' }
}
function Test-Noise {
    [CmdletBinding()] param()
    Write-Host 'text without an end' -NoNewline
    Write-Host '@hv1 {"n":1,"t":"end","ok":true}'
    Write-Verbose 'verbose' -Verbose
    Write-Warning 'a warning'
    Write-Progress -Activity 'busy' -PercentComplete 50
    'row'
    Write-Error 'a mistake' -ErrorId 'Mistake' -Category InvalidData
    'row after it'
}
function Get-Alias2 { [CmdletBinding()] param() 'not asked for' }
Set-Alias Test-Alias Get-Alias2
Export-ModuleMember -Function * -Alias *
